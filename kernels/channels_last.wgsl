// Pictures [B, C, H, W] ↔ [B, H, W, padded], zeros in channels beyond C: the order in which a convolution reads them.
//
// BACK false: out [B, H, W, padded] of src [B, C, H, W]. BACK true: the other way, channels beyond C left out.
// Launch: grid(n, 64), n elements of out; pixels = H · W.

struct Params { n: u32, channels: u32, padded: u32, pixels: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

override BACK: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  if (BACK) {
    let plane = i / params.pixels;
    let pixel = plane / params.channels * params.pixels + i % params.pixels;
    out[i] = src[pixel * params.padded + plane % params.channels];
    return;
  }
  let channel = i % params.padded;
  let pixel = i / params.padded;
  let plane = pixel / params.pixels * params.channels + min(channel, params.channels - 1u);
  out[i] = select(0.0, src[plane * params.pixels + pixel % params.pixels], channel < params.channels);
}
