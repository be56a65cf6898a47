// AdamW over a whole arena (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2), with clipping.
//
// segment [elements / 64] of (tensor, decay: 0 or 1, group, 0), for each granule of 64 elements.
// Group g has four scalars from scalars[groups + 4 · g]: learning rate,
// weight decay, 1 − β1^t, sqrt(1 − β2^t).
// rest1 = 1 − β1 and rest2 = 1 − β2 come from the host: in f32, 1 − 0.999 is off by 5e-5 of itself.
//   p ← p (1 − lr · wd · decay);  m ← β1 m + (1 − β1) g;  v ← β2 v + (1 − β2) g²
//   p ← p − lr / (1 − β1^t) · m / (sqrt(v) / sqrt(1 − β2^t) + eps),  g clipped by factors[tensor]
// Does nothing while flag[0] is set, nor for a group whose 1 − β1^t is 0 (frozen).
// Launch: grid(elements, 64).

struct Params { n: u32, groups: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<storage, read> grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> exp_avg: array<f32>;
@group(0) @binding(4) var<storage, read_write> exp_avg_sq: array<f32>;
@group(0) @binding(5) var<storage, read> segment: array<vec4u>;
@group(0) @binding(6) var<storage, read> factors: array<f32>;
@group(0) @binding(7) var<storage, read> scalars: array<f32>;
@group(0) @binding(8) var<storage, read> flag: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n || flag[0] != 0u) { return; }
  // (tensor, decay, group, 0)
  let info = segment[i >> 6u];
  let at = params.groups + 4u * info.z;
  let lr = scalars[at];
  let correction1 = scalars[at + 2u];
  if (correction1 == 0.0) { return; }
  let g = grad[i] * factors[info.x];
  let m = params.beta1 * exp_avg[i] + params.rest1 * g;
  let v = params.beta2 * exp_avg_sq[i] + params.rest2 * g * g;
  let p = parameter[i] * (1.0 - lr * scalars[at + 1u] * f32(info.y));
  parameter[i] = p - lr / correction1 * m / (sqrt(v) / scalars[at + 3u] + params.eps);
  exp_avg[i] = m;
  exp_avg_sq[i] = v;
}
