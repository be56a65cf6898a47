// Max pool over windows of side × side, pictures [B, H, W, C] → [B, rows, cols, C], or its gradient.
//
// BACK false: out [B, rows, cols, C] of src [B, H, W, C], and in `taps` which of the window's places (dy · side + dx)
// holds the largest, the first of equal ones. Places outside of the picture count as −∞.
// BACK true: out [B, H, W, C] = the sum over the windows whose largest it is of src [B, rows, cols, C], in the order
// of the windows.
// Launch: grid(n, 64), n elements of out.

struct Params { n: u32, channels: u32, height: u32, width: u32, rows: u32, cols: u32, side: u32, stride: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> taps: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

override BACK: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let channel = i % params.channels;
  let place = i / params.channels;
  let width = select(params.cols, params.width, BACK);
  let height = select(params.rows, params.height, BACK);
  let x = place % width;
  let y = place / width % height;
  let picture = place / (width * height);
  if (BACK) {
    var sum = 0.0;
    for (var tap = params.side * params.side; tap > 0u; tap--) {
      // The last tap first: windows in ascending order.
      let at_tap = vec2u((tap - 1u) / params.side, (tap - 1u) % params.side);
      let padded = vec2u(y, x) + params.pad;
      let far = padded - min(padded, at_tap);
      let reached = all(padded >= at_tap);
      let window = far / params.stride;
      if (reached && all(far % params.stride == vec2u()) && window.x < params.rows && window.y < params.cols) {
        let at = ((picture * params.rows + window.x) * params.cols + window.y) * params.channels + channel;
        if (taps[at] == tap - 1u) { sum += src[at]; }
      }
    }
    out[i] = sum;
    return;
  }
  var best = 0.0;
  var which = params.side * params.side;
  for (var tap = 0u; tap < params.side * params.side; tap++) {
    let at = vec2i(vec2u(y, x) * params.stride + vec2u(tap / params.side, tap % params.side)) - i32(params.pad);
    if (all(at >= vec2i()) && at.x < i32(params.height) && at.y < i32(params.width)) {
      let v = src[((picture * params.height + u32(at.x)) * params.width + u32(at.y)) * params.channels + channel];
      if (which == params.side * params.side || v > best) {
        best = v;
        which = tap;
      }
    }
  }
  taps[i] = which;
  out[i] = best;
}
