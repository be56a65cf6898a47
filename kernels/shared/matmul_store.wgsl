// Outputs of a matmul of any shape in blocks of 4 × 4, and its epilogue; needs matmul_io.wgsl, gelu.wgsl.
//
// Bits of params.epilogue, in this order: + the old C (ACCUMULATE); + bias[n] (BIAS); the exact GELU (GELU), of
// what pre keeps (PRE); · GELU'(aux) (GELU_GRAD); + aux (ADD).

alias Real = f32;
const ACCUMULATE = 1u;
const BIAS = 2u;
const GELU = 4u;
const GELU_GRAD = 8u;
const ADD = 16u;
const PRE = 32u;

fn has(bit: u32) -> bool {
  return (params.epilogue & bit) != 0u;
}

// What the sums of four rows start with: the bias of four columns.
fn start(col: u32) -> mat4x4f {
  if (!has(BIAS)) { return mat4x4f(); }
  var v: vec4f;
  for (var i = 0u; i < 4u; i++) {
    let j = min(col + i, params.n - 1u);
    v[i] = bias[j >> 2u][j & 3u];
  }
  return mat4x4f(v, v, v, v);
}

// Outputs are written one by one: invocations may share the vec4s of a row that is no multiple of 4.
fn put_row(part: u32, row: u32, col: u32, sum: vec4f) {
  if (row >= params.m || col >= params.n) { return; }
  let at = (part * params.m + row) * params.ldc + col;
  let add = has(ACCUMULATE);
  for (var i = 0u; i < min(4u, params.n - col); i++) {
    c[at + i] = c_real(select(sum[i], sum[i] + f32(c[at + i]), add));
  }
}

// Four rows of four columns, of part `part` of K.
fn put(part: u32, row: u32, col: u32, sum: mat4x4f) {
  put_row(part, row, col, sum[0]);
  put_row(part, row + 1u, col, sum[1]);
  put_row(part, row + 2u, col, sum[2]);
  put_row(part, row + 3u, col, sum[3]);
}

// What is left of the epilogue of the output at `at`.
fn finish(at: u32) {
  var v = f32(c[at]);
  if (has(GELU)) {
    if (has(PRE)) { pre[at] = pre_real(v); }
    v = gelu(v);
  }
  if (has(GELU_GRAD)) { v *= gelu_grad(f32(aux[at >> 2u][at & 3u])); }
  if (has(ADD)) { v += f32(aux[at >> 2u][at & 3u]); }
  c[at] = c_real(v);
}

// A second pass over an invocation's own outputs, in a loop, so that the epilogue's code exists once.
fn finish_block(row: u32, col: u32, rows: u32, cols: u32) {
  if (!has(GELU | GELU_GRAD | ADD)) { return; }
  for (var i = row; i < min(row + rows, params.m); i++) {
    for (var j = col; j < min(col + cols, params.n); j++) { finish(i * params.ldc + j); }
  }
}
