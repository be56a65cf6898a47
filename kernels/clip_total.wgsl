// One clip factor for all tensors, from the norm of all gradients (Pascanu et al. 2013, arXiv:1211.5063, algorithm 1).
//
// total [2]: as total_norm left it → factors [n] = min(1, clip / (norm + 1e-6)); 1 when the norm is not finite.
// Launch: grid(n, 64).

struct Params { n: u32, clip: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> total: array<u32>;
@group(0) @binding(2) var<storage, read_write> factors: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  if (t >= params.n) { return; }
  let norm = bitcast<f32>(total[0]) * sqrt(bitcast<f32>(total[1]));
  // By the bits: a compiler may assume that floats are finite.
  factors[t] = select(min(1.0, params.clip / (norm + 1e-6)), 1.0, total[0] >= 0x7f800000u);
}
