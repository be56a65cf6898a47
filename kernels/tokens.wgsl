// Assembles tokens [B, 1 + P, D]: the class token, then the patches, all plus the position embedding.
//
// patches [B · P, D], cls [D], pos [1 + P, D] → tokens.
// BACK true: src = gradient of tokens; dst = gradient of patches (the class rows are left out).
// Launch: grid(elements of dst, 64).

struct Params { n: u32, patches: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> cls: array<f32>;
@group(0) @binding(3) var<storage, read> pos: array<f32>;
@group(0) @binding(4) var<storage, read_write> dst: array<f32>;

override BACK: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let d = i % params.dim;
  let row = i / params.dim;
  let tokens = params.patches + 1u;
  if (BACK) {
    let b = row / params.patches;
    dst[i] = src[(b * tokens + 1u + row % params.patches) * params.dim + d];
    return;
  }
  let b = row / tokens;
  let t = row % tokens;
  var v = pos[t * params.dim + d];
  if (t == 0u) { v += cls[d]; } else { v += src[(b * params.patches + t - 1u) * params.dim + d]; }
  dst[i] = v;
}
