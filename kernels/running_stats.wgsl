// Copies running statistics: out [n] = src.
//
// FIRST: only where scalars[index], the number of the micro-batch, is 0. FLAG: only while flag[0] is not set.
// Launch: grid(n, 64).

struct Params { n: u32, index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> scalars: array<f32>;
@group(0) @binding(3) var<storage, read> flag: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

override FIRST: bool = false;
override FLAG: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  if (FIRST) { if (scalars[params.index] != 0.0) { return; } }
  if (FLAG) { if (flag[0] != 0u) { return; } }
  out[i] = src[i];
}
