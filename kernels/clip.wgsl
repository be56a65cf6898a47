// Gradient norm and clip factor per tensor, and the non-finite flag.
//
// partial: as sum_squares left them; ranges [T] of (first block, number of blocks) → norms [T],
// factors [T] = min(1, clip / (norm + 1e-6)), 1 when clip is 0.
// A norm that is not finite sets flag[0] to 1 + scalars[STEP] (if it is still 0) and flag[1] to
// 1 + the tensor's index in this arena + params.first.
// Launch: one workgroup of one invocation: the first bad tensor in order is the one that is named.

struct Params { n: u32, first: u32, step_index: u32, clip: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec2f>;
@group(0) @binding(2) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> norms: array<f32>;
@group(0) @binding(5) var<storage, read_write> factors: array<f32>;
@group(0) @binding(6) var<storage, read_write> flag: array<u32>;

fn finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(1)
fn main() {
  for (var t = 0u; t < params.n; t++) {
    let range = ranges[t];
    var top = 0.0;
    var good = true;
    for (var b = range.x; b < range.x + range.y; b++) {
      good = good && finite(partial[b].x);
      top = max(top, partial[b].x);
    }
    var sum = 0.0;
    if (top > 0.0) {
      for (var b = range.x; b < range.x + range.y; b++) {
        let scale = partial[b].x / top;
        sum += partial[b].y * scale * scale;
      }
    }
    let norm = top * sqrt(sum);
    norms[t] = norm;
    factors[t] = select(1.0, min(1.0, params.clip / (norm + 1e-6)), params.clip > 0.0);
    if (!(good && finite(norm)) && flag[0] == 0u) {
      flag[0] = 1u + u32(scalars[params.step_index]);
      flag[1] = 1u + params.first + t;
    }
  }
}
