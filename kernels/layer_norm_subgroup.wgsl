// Layer norm as in layer_norm, where eight lanes hold a row in registers: it is read once.
//
// D is a multiple of 4, at most 32 · PER, PER ≤ 16 vec4s per lane; WHOLE: it is 32 · PER, and no lane is idle.
// Sums run over a lane's vec4s in order, then over their components, then over the lanes.
// HALVES: x holds halves, and a row with one at or beyond the largest of them becomes NaN: a driver may have rounded to
// that what was too large, and the non-finite flag shall see it.
// Launch: 8 invocations, in one subgroup of at least 8 lanes, for 32 rows: grid(R, 32).

struct Params { rows: u32, dim: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<y_vec4>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2f>;

override PER: u32 = 1u;
override WHOLE: bool = false;
override HALVES: bool = false;
const ROWS = 32u;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let width = params.dim / 4u;
  let n = f32(params.dim);
  var w: array<vec4f, 16>;
  var b: array<vec4f, 16>;
  for (var k = 0u; k < PER; k++) {
    let c = k * 8u + lane;
    if (WHOLE || c < width) {
      w[k] = weight[c];
      b[k] = bias[c];
    }
  }
  let first = (wg.y * num.x + wg.x) * ROWS;
  for (var row = first; row < min(first + ROWS, params.rows); row++) {
    let base = row * width;
    var v: array<vec4f, 16>;
    for (var k = 0u; k < PER; k++) {
      let c = k * 8u + lane;
      if (WHOLE || c < width) { v[k] = vec4f(x[base + c]); }
    }
    // As distances from the first value: see layer_norm.
    let origin = subgroupBroadcast(v[0].x, 0u);
    var sum = vec4f();
    for (var k = 0u; k < PER; k++) {
      if (WHOLE || k * 8u + lane < width) {
        sum += v[k] - origin;
        if (HALVES) { sum = select(sum, bitcast<vec4f>(vec4u(params.rows | 0x7fc00000u)), abs(v[k]) >= vec4f(65504.0)); }
      }
    }
    let mean = origin + total(sum) / n;
    var squares = vec4f();
    for (var k = 0u; k < PER; k++) {
      if (WHOLE || k * 8u + lane < width) {
        v[k] -= mean;
        squares += v[k] * v[k];
      }
    }
    let rstd = inverseSqrt(total(squares) / n + params.eps);
    for (var k = 0u; k < PER; k++) {
      let c = k * 8u + lane;
      if (WHOLE || c < width) { y[base + c] = y_vec4(v[k] * rstd * w[k] + b[k]); }
    }
    if (lane == 0u) { stats[row] = vec2f(mean, rstd); }
  }
}
