// Sums over the masked tokens, those of weight 0 left out:
//
// pair, entropy, weights [M] → sums [3] = (scale · Σ weight · pair, scale · Σ weight · entropy, their number)
// [+ what it held: accumulate is 1]. Each lane its rows from first to last, then lane after lane.
// All but weights are floats by their bits: what is not finite is handed on as NaN (bits.wgsl).
// Launch: one workgroup of LANES invocations.

struct Params { rows: u32, scale: f32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pair: array<u32>;
@group(0) @binding(2) var<storage, read> entropy: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<u32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<vec4f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  // The last: how many of them are not finite.
  var total = vec4f();
  for (var r = lane; r < params.rows; r += LANES) {
    let weight = weights[r];
    if (weight != 0.0) {
      let lost = select(0.0, 1.0, is_odd(pair[r]) || is_odd(entropy[r]));
      total += vec4f(weight * bitcast<f32>(pair[r]), weight * bitcast<f32>(entropy[r]), 1.0, lost);
    }
  }
  if (LANES > 1u) {
    partial[lane] = total;
    workgroupBarrier();
    total = vec4f();
    for (var i = 0u; i < LANES; i++) { total += partial[i]; }
  }
  if (lane != 0u) { return; }
  total *= vec4f(params.scale, params.scale, 1.0, 1.0);
  if (params.accumulate != 0u) {
    total += vec4f(bitcast<f32>(sums[0]), bitcast<f32>(sums[1]), bitcast<f32>(sums[2]), select(0.0, 1.0, is_odd(sums[0])));
  }
  sums[0] = bits_or_nan(total.x, total.w != 0.0);
  sums[1] = bits_or_nan(total.y, total.w != 0.0);
  sums[2] = bitcast<u32>(total.z);
}
