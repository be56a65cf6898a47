// AdamW over a whole arena (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2), with clipping, and the teacher
// that follows.
//
// segment [elements / 64] of (tensor, decay: 0 or 1, group, bits of an f32: the factor of the learning rate), for each
// granule of 64 elements. table: shared/update.wgsl; the scalars of a group are learning rate, weight decay, 1 − β1^t,
// sqrt(1 − β2^t).
// rest1 = 1 − β1 and rest2 = 1 − β2 come from the host: in f32, 1 − 0.999 is off by 5e-5 of itself.
//   p ← p (1 − lr · wd · decay);  m ← β1 m + (1 − β1) g;  v ← β2 v + (1 − β2) g²
//   p ← p − lr / (1 − β1^t) · m / (sqrt(v) / sqrt(1 − β2^t) + eps),  g clipped by factors[tensor]
// With COUPLED, Adam with L2 regularisation as PyTorch has it: g ← g + wd · decay · p, and p is not shrunk by itself.
// Does nothing while the flag is set; leaves alone a group whose 1 − β1^t is 0 (frozen), but the teacher follows it too.
// Launch: grid(elements / 16, 64). Four invocations share a granule and take every fourth of its vec4s, so that
// neighbours read neighbouring memory and what belongs to the granule is read once for four vec4s.

struct Params { n: u32, groups: u32, momentum_at: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(2) var<storage, read> grad: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> exp_avg: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> exp_avg_sq: array<vec4f>;
@group(0) @binding(5) var<storage, read> segment: array<vec4u>;
@group(0) @binding(6) var<storage, read> factors: array<f32>;
@group(0) @binding(7) var<storage, read> table: array<u32>;
@group(0) @binding(8) var<storage, read_write> teacher: array<vec4f>;

override COUPLED: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  if (16u * t >= params.n || flagged()) { return; }
  let granule = t / 4u;
  // (tensor, decay, group, bits of the rate's factor)
  let info = segment[granule];
  let at = params.groups + 4u * info.z;
  let lr = scalar(at) * bitcast<f32>(info.w);
  let correction1 = scalar(at + 2u);
  if (correction1 == 0.0) {
    follow_granule(granule, t % 4u);
    return;
  }
  let correction2 = scalar(at + 3u);
  let factor = factors[info.x];
  let decay = scalar(at + 1u) * f32(info.y);
  let keep = select(1.0 - lr * decay, 1.0, COUPLED);
  let rate = lr / correction1;
  for (var k = 0u; k < 4u; k++) {
    let i = granule * 16u + k * 4u + t % 4u;
    var g = grad[i] * factor;
    if (COUPLED) { g += decay * parameter[i]; }
    let m = params.beta1 * exp_avg[i] + params.rest1 * g;
    let v = params.beta2 * exp_avg_sq[i] + params.rest2 * g * g;
    let p = parameter[i] * keep - rate * m / (sqrt(v) / correction2 + params.eps);
    parameter[i] = p;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    follow(i, p);
  }
}
