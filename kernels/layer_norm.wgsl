// Layer norm over the last dimension (Ba et al. 2016, arXiv:1607.06450, eq. 4).
//
// x [R, D] → y = (x − mean) · rstd · weight + bias, stats [R, 2] = (mean, rstd); the variance is the mean
// of squared deviations from the mean, in a second pass.
// HALVES: x holds halves, and a row with one at or beyond the largest of them becomes NaN: a driver may have rounded to
// that what was too large, and the non-finite flag shall see it.
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_real>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<y_real>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;

override LANES: u32 = 1u;
override HALVES: bool = false;
var<workgroup> partial: array<f32, 64>;

// Sum over the lanes of a row, in lane order.
fn row_sum(value: f32, local: u32) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  partial[local] = value;
  workgroupBarrier();
  let first = local - local % LANES;
  var sum = 0.0;
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
  let n = f32(params.dim);
  // Summed as distances from the first value, so that the rounding of a large common offset does not
  // become variance: equal values have a mean that is exactly theirs.
  let origin = f32(x[base]);
  var sum = 0.0;
  for (var d = lane; d < params.dim; d += LANES) {
    sum += f32(x[base + d]) - origin;
    if (HALVES) { sum = select(sum, bitcast<f32>(params.rows | 0x7fc00000u), abs(f32(x[base + d])) >= 65504.0); }
  }
  let mean = origin + row_sum(sum, local) / n;
  var squares = 0.0;
  for (var d = lane; d < params.dim; d += LANES) {
    let v = f32(x[base + d]) - mean;
    squares += v * v;
  }
  let rstd = inverseSqrt(row_sum(squares, local) / n + params.eps);
  if (!live) { return; }
  for (var d = lane; d < params.dim; d += LANES) {
    y[base + d] = y_real((f32(x[base + d]) - mean) * rstd * weight[d] + bias[d]);
  }
  if (lane == 0u) {
    stats[2u * row] = mean;
    stats[2u * row + 1u] = rstd;
  }
}
