// Sums of rows in a fixed order: each lane its elements from first to last, then lane after lane.
//
// x [R, C] → out [R] = scale · Σ over the row.
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, cols: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  var sum = 0.0;
  for (var c = lane; c < params.cols; c += LANES) { sum += x[row * params.cols + c]; }
  if (LANES > 1u) {
    partial[local] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var k = 0u; k < LANES; k++) { sum += partial[local - lane + k]; }
  }
  if (lane == 0u && i / LANES < params.rows) { out[row] = params.scale * sum; }
}
