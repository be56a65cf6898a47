// Layer norm as in layer_norm, where LANES invocations hold a row in registers: shared/held_rows.wgsl.
//
// HALVES: x holds halves, and a row with one at or beyond the largest of them becomes NaN: a driver may have rounded to
// that what was too large, and the non-finite flag shall see it.
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64).

struct Params { rows: u32, dim: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<y_vec4>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2f>;

override HALVES: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let width = params.dim / 4u;
  let base = row * width;
  let n = f32(params.dim);
  // As distances from the first value: see layer_norm.
  let origin = f32(x[base].x);
  var v: array<vec4f, 4>;
  var sum = vec4f();
  for (var k = 0u; k < PER; k++) {
    let c = k * LANES + lane;
    if (c < width) {
      v[k] = vec4f(x[base + c]);
      sum += v[k] - origin;
      if (HALVES) { sum = select(sum, bitcast<vec4f>(vec4u(params.rows | 0x7fc00000u)), abs(v[k]) >= vec4f(65504.0)); }
    }
  }
  let mean = origin + over_lanes(sum, vec4f(), local).x / n;
  var squares = vec4f();
  for (var k = 0u; k < PER; k++) {
    if (k * LANES + lane < width) {
      v[k] -= mean;
      squares += v[k] * v[k];
    }
  }
  let rstd = inverseSqrt(over_lanes(squares, vec4f(), local).x / n + params.eps);
  if (!live) { return; }
  for (var k = 0u; k < PER; k++) {
    let c = k * LANES + lane;
    if (c < width) { y[base + c] = y_vec4(v[k] * rstd * weight[c] + bias[c]); }
  }
  if (lane == 0u) { stats[row] = vec2f(mean, rstd); }
}
