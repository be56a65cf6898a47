// Sums over the masked tokens, those of weight 0 left out:
//
// pair, entropy, weights [M] → sums [3] = (scale · Σ weight · pair, scale · Σ weight · entropy, their number)
// [+ what it held: accumulate is 1]. Each lane its rows from first to last, then lane after lane.
// Launch: one workgroup of LANES invocations.

struct Params { rows: u32, scale: f32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pair: array<f32>;
@group(0) @binding(2) var<storage, read> entropy: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<vec3f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = vec3f();
  for (var r = lane; r < params.rows; r += LANES) {
    let weight = weights[r];
    if (weight != 0.0) { total += vec3f(weight * pair[r], weight * entropy[r], 1.0); }
  }
  if (LANES > 1u) {
    partial[lane] = total;
    workgroupBarrier();
    total = vec3f();
    for (var i = 0u; i < LANES; i++) { total += partial[i]; }
  }
  if (lane != 0u) { return; }
  total *= vec3f(params.scale, params.scale, 1.0);
  if (params.accumulate != 0u) { total += vec3f(sums[0], sums[1], sums[2]); }
  sums[0] = total.x;
  sums[1] = total.y;
  sums[2] = total.z;
}
