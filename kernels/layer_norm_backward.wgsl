// Gradient of layer norm with respect to its input, plus a residual gradient.
//
// g = dy · weight, x̂ = (x − mean) · rstd: dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)) [+ residual].
// Launch: as layer_norm.

struct Params { rows: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_real>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

override LANES: u32 = 1u;
override RESIDUAL: bool = false;
var<workgroup> partial: array<vec2f, 64>;

fn row_sum(value: vec2f, local: u32) -> vec2f {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  partial[local] = value;
  workgroupBarrier();
  let first = local - local % LANES;
  var sum = vec2f();
  for (var i = 0u; i < LANES; i++) { sum += partial[first + i]; }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let base = row * params.dim;
  let mean = stats[2u * row];
  let rstd = stats[2u * row + 1u];
  var sums = vec2f();
  for (var d = lane; d < params.dim; d += LANES) {
    let g = dy[base + d] * weight[d];
    sums += vec2f(g, g * (f32(x[base + d]) - mean) * rstd);
  }
  sums = row_sum(sums, local) / f32(params.dim);
  if (!live) { return; }
  for (var d = lane; d < params.dim; d += LANES) {
    let g = dy[base + d] * weight[d];
    var v = rstd * (g - sums.x - (f32(x[base + d]) - mean) * rstd * sums.y);
    if (RESIDUAL) { v += residual[base + d]; }
    dx[base + d] = v;
  }
}
