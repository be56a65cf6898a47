// Sums of rows in a fixed order: each lane its elements from first to last, then lane after lane.
//
// x [R, C] → out [R] = scale · Σ over the row [+ the old out: accumulate is 1]. Floats by their bits, so that what is
// not finite is handed on as NaN (bits.wgsl).
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, cols: u32, scale: f32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<f32, 64>;
var<workgroup> largest: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  var sum = 0.0;
  var bits = 0u;
  for (var c = lane; c < params.cols; c += LANES) {
    let v = x[row * params.cols + c];
    sum += bitcast<f32>(v);
    bits = max(bits, v & 0x7fffffffu);
  }
  if (LANES > 1u) {
    partial[local] = sum;
    largest[local] = bits;
    workgroupBarrier();
    sum = 0.0;
    for (var k = 0u; k < LANES; k++) {
      sum += partial[local - lane + k];
      bits = max(bits, largest[local - lane + k]);
    }
  }
  if (lane == 0u && i / LANES < params.rows) {
    sum *= params.scale;
    if (params.accumulate != 0u) {
      bits = max(bits, out[row] & 0x7fffffffu);
      sum += bitcast<f32>(out[row]);
    }
    out[row] = bits_or_nan(sum, bits >= 0x7f800000u);
  }
}
