// The teacher's side of the DINO loss, one row at a time.
//
// teacher [R, K], center [K] → stats [R, 2] = (max z, log Σ exp(z − max)), entropy [R] of softmax(z) in nats, with
// z = (teacher − center) / teacher_temp (Caron et al. 2021, arXiv:2104.14294, eq. 1 and section 3.1).
// The entropy is Σ q · ((max − z) + log Σ exp(z − max)): every term ≥ 0, so it never turns negative.
// scalars[TEMP] = teacher_temp.
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32, temp_index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read> center: array<f32>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> entropy: array<f32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<f32, 64>;

// Sum (or maximum) over the lanes of a row, in lane order.
fn combine(value: f32, local: u32, largest: bool) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  partial[local] = value;
  workgroupBarrier();
  let first = local - local % LANES;
  var v = partial[first];
  for (var i = 1u; i < LANES; i++) {
    let other = partial[first + i];
    v = select(v + other, max(v, other), largest);
  }
  return v;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let base = row * params.dim;
  let temp = scalars[params.temp_index];
  var top = -3.4028234e38;
  for (var k = lane; k < params.dim; k += LANES) { top = max(top, (teacher[base + k] - center[k]) / temp); }
  top = combine(top, local, true);
  var sum = 0.0;
  var below = 0.0;
  for (var k = lane; k < params.dim; k += LANES) {
    let z = (teacher[base + k] - center[k]) / temp - top;
    let e = exp(z);
    sum += e;
    below -= e * max(z, -1e9);
  }
  sum = combine(sum, local, false);
  below = combine(below, local, false);
  if (lane == 0u && i / LANES < params.rows) {
    stats[row] = vec2f(top, log(sum));
    entropy[row] = below / sum + log(sum);
  }
}
