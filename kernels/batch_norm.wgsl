// y = (x − mean) · rstd · weight + bias [+ residual], then max(·, 0) if RELU: x, residual, y [R, C], stats [2, C].
//
// VEC: C is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(R · ceil(width / 4), 64); shared/walk_rows.wgsl.

struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<vec4f>;
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
alias out_real = f32;

override VEC: bool = false;
override RELU: bool = false;
override RESIDUAL: bool = false;

fn element(row: u32, col: u32) {
  let at = row * params.width + col;
  var v: vec4f;
  if (VEC) {
    v = (x[at] - stats[col]) * stats[params.width + col] * weight[col] + bias[col];
    if (RESIDUAL) { v += residual[at]; }
  } else {
    let r = params.width + col;
    let normed = (x[at / 4u][at % 4u] - stats[col / 4u][col % 4u]) * stats[r / 4u][r % 4u];
    v = vec4f(normed * weight[col / 4u][col % 4u] + bias[col / 4u][col % 4u]);
    if (RESIDUAL) { v += residual[at / 4u][at % 4u]; }
  }
  if (RELU) { v = max(v, vec4f()); }
  put(at, v);
}
