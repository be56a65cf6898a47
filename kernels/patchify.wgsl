// Cuts images into patches, or puts patches back (the gradient): a convolution whose stride is its size
// becomes a matrix product.
//
// images [B, C, H, W] ↔ patches [B · rows · cols, C · P · P], patches row by row, inner order (c, y, x) as
// in a convolution's weight. Pixels beyond the last whole patch are not used; their gradient is 0.
// BACK false: to = patches of from. BACK true: to = images of from.
// VEC: P and W are multiples of 4, and pixels are moved in fours; else one by one.
// Launch: grid(n, 64). BACK false: n lines of patches [B · rows · cols, C, P]; an invocation moves one of them, as
// finding its place costs more than a pixel. BACK true: n pixels of `to`, or fours.

struct Params { n: u32, channels: u32, height: u32, width: u32, side: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dst: array<dst_real>;

override VEC: bool = false;
override BACK: bool = false;

// Scalars, as a write of one component of a vec4 may touch the whole, and neighbours belong to other invocations.
fn put(at: u32, v: vec4f) {
  if (VEC) {
    dst[at] = dst_real(v.x);
    dst[at + 1u] = dst_real(v.y);
    dst[at + 2u] = dst_real(v.z);
    dst[at + 3u] = dst_real(v.w);
  } else {
    dst[at] = dst_real(v.x);
  }
}

fn move_pixels(to: u32, at: u32) {
  if (VEC) { put(to, src[at / 4u]); } else { put(to, vec4f(src[at / 4u][at % 4u])); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  if (t >= params.n) { return; }
  let step = select(1u, 4u, VEC);
  let p = params.side;
  let rows = params.height / p;
  let cols = params.width / p;
  if (BACK) {
    let i = t * step;
    let x = i % params.width;
    let y = i / params.width % params.height;
    let c = i / (params.width * params.height) % params.channels;
    let b = i / (params.width * params.height * params.channels);
    if (x >= cols * p || y >= rows * p) {
      put(i, vec4f());
      return;
    }
    let index = (b * rows + y / p) * cols + x / p;
    move_pixels(i, ((index * params.channels + c) * p + y % p) * p + x % p);
    return;
  }
  let plane = t / p; // of all channels of all patches
  let index = plane / params.channels;
  let line = index / cols; // of the patches of all images
  let b = line / rows;
  let y = (line - b * rows) * p + t - plane * p;
  let begin = ((b * params.channels + plane - index * params.channels) * params.height + y) * params.width + (index - line * cols) * p;
  for (var x = 0u; x < p; x += step) { move_pixels(t * p + x, begin + x); }
}
