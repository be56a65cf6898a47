// Gradient norm and clip factor per tensor.
//
// partial: as sum_squares left them; ranges [T] of (first block, number of blocks) → norms [T],
// factors [T] = min(1, clip / (norm + 1e-6)), 1 when clip is 0. A norm is not finite when an element is
// not: floats by their bits.
// Launch: grid(T, 64), one tensor per invocation.

struct Params { n: u32, clip: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec2u>;
@group(0) @binding(2) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> norms: array<u32>;
@group(0) @binding(4) var<storage, read_write> factors: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  if (t >= params.n) { return; }
  let range = ranges[t];
  var top = 0.0;
  var bits = 0u;
  for (var b = range.x; b < range.x + range.y; b++) {
    bits = max(bits, partial[b].x);
    top = max(top, bitcast<f32>(partial[b].x));
  }
  var sum = 0.0;
  if (top > 0.0) {
    for (var b = range.x; b < range.x + range.y; b++) {
      let part = bitcast<vec2f>(partial[b]);
      let scale = part.x / top;
      sum += part.y * scale * scale;
    }
  }
  // The bits decide, for max() may drop a NaN; a norm that overflows counts as not finite as well.
  if (bits >= 0x7f800000u) {
    norms[t] = 0x7fc00000u | bits;
    factors[t] = 1.0;
    return;
  }
  let norm = top * sqrt(sum);
  norms[t] = bitcast<u32>(norm);
  factors[t] = select(1.0, min(1.0, params.clip / (norm + 1e-6)), params.clip > 0.0);
}
