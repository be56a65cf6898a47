// Outputs of a matmul of whole vec4s, with their epilogue in registers; needs whole_io.wgsl, gelu.wgsl.
//
// Epilogue, in this order: + the old C (ACCUMULATE); + bias[n], where params.bias is 1; the exact GELU (GELU), of what
// pre keeps (PRE); · GELU'(aux) (GELU_GRAD); + aux (ADD). Constants, since the code exists once for every vec4
// of outputs of an invocation.

override ACCUMULATE: bool = false;
override GELU: bool = false;
override PRE: bool = false;
override GELU_GRAD: bool = false;
override ADD: bool = false;

alias Real = vec4f;

// What the sums of four rows start with: the bias of four columns.
fn start(col: u32) -> mat4x4f {
  if (params.bias == 0u) { return mat4x4f(); }
  let v = bias[min(col, params.n - 4u) / 4u];
  return mat4x4f(v, v, v, v);
}

fn put_row(at: u32, sum: vec4f) {
  var v = sum;
  if (ACCUMULATE) { v += vec4f(c[at]); }
  if (GELU) {
    if (PRE) { pre[at] = pre_vec4(v); }
    v = gelu(v);
  }
  if (GELU_GRAD) { v *= gelu_grad(vec4f(aux[at])); }
  if (ADD) { v += vec4f(aux[at]); }
  c[at] = c_vec4(v);
}

// Four rows of four columns, of part `part` of K.
fn put(part: u32, row: u32, col: u32, sum: mat4x4f) {
  let l = params.ldc / 4u;
  let at = (part * params.m + row) * l + col / 4u;
  if (col >= params.n || row >= params.m) { return; }
  put_row(at, sum[0]);
  if (row + 1u >= params.m) { return; }
  put_row(at + l, sum[1]);
  if (row + 2u >= params.m) { return; }
  put_row(at + 2u * l, sum[2]);
  if (row + 3u >= params.m) { return; }
  put_row(at + 3u * l, sum[3]);
}

// Nothing is left to do.
fn finish_block(row: u32, col: u32, rows: u32, cols: u32) {}
