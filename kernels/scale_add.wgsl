// out = [x +] h · scale[row / group]: a residual branch under drop path, or its gradient.
//
// x, h, out [R, D]; scale holds one factor per `group` consecutive rows (the tokens of a sample).
// Launch: grid(R · D, 64).

struct Params { n: u32, dim: u32, group: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

override ADD: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  var v = h[i] * scale[i / params.dim / params.group];
  if (ADD) { v += x[i]; }
  out[i] = v;
}
