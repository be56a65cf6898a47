// SGD with momentum as PyTorch has it: velocity ← momentum · velocity + gradient, weight ← weight − rate · velocity,
// with rate = rates[index].
//
// Launch: grid(n, 64).

struct Params { n: u32, index: u32, momentum: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> rates: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read_write> weight: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let v = params.momentum * velocity[i] + gradient[i];
  velocity[i] = v;
  weight[i] -= rates[params.index] * v;
}
