// Weights of a convolution as matrices, and their gradients back: moves between PyTorch's order and those of a matmul.
//
// weight [O, C, T], T the taps of a window; `padded` ≥ C channels, zeros beyond C.
// TO 0: out [O, T, padded] = weight. TO 1: out [T, O, padded] = weight.
// TO 2: out [O, C, T] = src [O, T, padded] [+ the old out].
// Launch: grid(n, 64), n elements of out.

struct Params { n: u32, outputs: u32, channels: u32, taps: u32, padded: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

override TO: u32 = 0u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let t = params.taps;
  if (TO == 2u) {
    let v = src[(i / (t * params.channels) * t + i % t) * params.padded + i / t % params.channels];
    out[i] = select(v, v + out[i], params.accumulate != 0u);
    return;
  }
  let channel = i % params.padded;
  let next = i / params.padded;
  let o = select(next / t, next % params.outputs, TO == 1u);
  let window = select(next % t, next / params.outputs, TO == 1u);
  let start = (o * params.channels + min(channel, params.channels - 1u)) * t + window;
  out[i] = select(0.0, src[start], channel < params.channels);
}
