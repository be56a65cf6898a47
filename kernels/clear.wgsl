// Clears a tensor at the start of a step that comes in micro-batches: x [n] = 0 where scalars[micro_batch_index], the
// number of the micro-batch, is 0.
//
// Launch: grid(n / 16, 64): four invocations take every fourth vec4 of 64 elements.

struct Params { n: u32, micro_batch_index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scalars: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  if (scalars[params.micro_batch_index] != 0.0) { return; }
  for (var k = 0u; k < 4u; k++) {
    let i = t / 4u * 16u + k * 4u + t % 4u;
    if (4u * i < params.n) { x[i] = vec4f(); }
  }
}
