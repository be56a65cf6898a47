// Crop, resize (bicubic, a = -0.5, antialiased when shrinking) and flip a batch of RGBA8 pictures.
//
//   source [pixels]        u32, RGBA8 with r in the low byte; all pictures of the batch, packed: of a
//                          picture its P planes of three channels, one after the other
//   table  [B]             vec4u (offset in pixels, width, height, 0) per picture
//   views  [N, 12]         vec4f, layout in lib/augmentation/parameters.ts; view n reads picture n mod B
//   image  [2, N, P, H, W] u32, RGBA8; the first half is written
//
// Launch: [ceil(W * ceil(H / 8) / 64), N * P, 1]; one invocation per eight output rows of a column and plane.
//
// PIL resizes columns first, then rows, and rounds to 8 bits after each: here the sum over a source row
// is rounded before it enters the sum over rows, so no intermediate picture is stored. Taps beyond the
// crop box do not exist; the weights that remain are normalised. Kernel: Keys, "Cubic convolution
// interpolation for digital image processing" (1981), widened by the shrink factor as PIL does.

struct Params { batch: u32, planes: u32, height: u32, width: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read> views: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> image: array<u32>;

const VIEW = 12u;

// Factored forms: no cancellation near the roots at 1 and 2.
fn cubic(t: f32) -> f32 {
  let x = abs(t);
  let near = (x - 1.0) * ((1.5 * x - 1.0) * x - 1.0);
  let far = -0.5 * (x - 1.0) * (x - 2.0) * (x - 2.0);
  return select(select(0.0, far, x < 2.0), near, x < 1.0);
}

fn rgb(pixel: u32) -> vec3f {
  return vec3f((vec3u(pixel) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
}

fn to_byte(v: vec3f) -> vec3f {
  return clamp(floor(v + 0.5), vec3f(0.0), vec3f(255.0));
}

// Two neighbours of a row; past the last column the weight is 0.
fn taps(at: u32, w0: f32, w1: f32) -> vec3f {
  return w0 * rgb(source[at]) + w1 * rgb(source[at + 1u]);
}

// Weights of four neighbouring source rows for one output row.
fn weights(t: f32, step: f32) -> vec4f {
  return vec4f(cubic(t), cubic(t + step), cubic(t + 2.0 * step), cubic(t + 3.0 * step));
}

fn pack(v: vec3f) -> u32 {
  let c = vec3u(to_byte(v));
  return c.x | (c.y << 8u) | (c.z << 16u) | 0xff000000u;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let strip = group.x * 64u + local;
  let n = group.y / params.planes;
  if (strip >= params.width * ((params.height + 7u) / 8u)) { return; }
  let column = strip % params.width;
  let row = strip / params.width * 8u;
  let last_row = min(row + 7u, params.height - 1u);

  // The matrix takes output pixel coordinates to source coordinates; its diagonal is the shrink factor
  // (negative in x when flipped). The middle of an output pixel is a fraction, split into a whole source pixel
  // and the rest: in singles it would be a few 10^-5 off, which weights show.
  let view = n * VIEW;
  let shrink = vec2f(abs(views[view].x), views[view + 1u].y);
  let box = vec4u(views[view + 3u]); // left, top, width, height
  let size = vec2u(params.width, params.height);
  let place = vec2u(select(column, params.width - 1u - column, views[view].x < 0.0), row);
  let halves = (2u * place + 1u) * box.zw;
  let whole = halves / (2u * size);
  let middle = vec2f(halves - whole * 2u * size) / vec2f(2u * size);
  let pixel = vec2i(box.xy + whole);
  let stretch = max(shrink, vec2f(1.0));
  let support = 2.0 * stretch;
  let below = vec2f(0.0, f32(last_row - row) * shrink.y);
  let low = max(pixel + vec2i(floor(middle - support + 0.5)), vec2i(box.xy));
  let high = min(pixel + vec2i(floor(middle + below + support + 0.5)), vec2i(box.xy + box.zw));
  let narrow = 1.0 / stretch;

  // Four rows and two columns at a time: rows share the weights of their columns. `packView` refuses what
  // would take an invocation over 65535 turns of its loops, after which Mesa 22's software Vulkan silently
  // leaves them. Weights beyond an output's support are 0.
  let picture = table[n % params.batch];
  let first = picture.x + (group.y % params.planes) * picture.y * picture.z;
  var sum0 = vec4f(0.0);
  var sum1 = vec4f(0.0);
  var sum2 = vec4f(0.0);
  var sum3 = vec4f(0.0);
  var sum4 = vec4f(0.0);
  var sum5 = vec4f(0.0);
  var sum6 = vec4f(0.0);
  var sum7 = vec4f(0.0);
  for (var y = low.y; y < high.y; y += 4) {
    let rows = high.y - y;
    var at = first + u32(y) * picture.y + u32(low.x);
    var total = 0.0;
    var r0 = vec3f(0.0);
    var r1 = vec3f(0.0);
    var r2 = vec3f(0.0);
    var r3 = vec3f(0.0);
    for (var x = low.x; x < high.x; x += 2) {
      let t = (f32(x - pixel.x) - middle.x + 0.5) * narrow.x;
      let w0 = cubic(t);
      let w1 = select(0.0, cubic(t + narrow.x), x + 1 < high.x);
      total += w0 + w1;
      r0 += taps(at, w0, w1);
      if (rows > 1) { r1 += taps(at + picture.y, w0, w1); }
      if (rows > 2) { r2 += taps(at + 2u * picture.y, w0, w1); }
      if (rows > 3) { r3 += taps(at + 3u * picture.y, w0, w1); }
      at += 2u;
    }
    // Columns: red, green, blue, and 1 to sum up the weights; rows past the last one count nothing.
    let scale = 1.0 / total;
    let inside = select(vec4f(0.0), vec4f(1.0), vec4i(0, 1, 2, 3) < vec4i(rows));
    let bytes = mat4x4f(
      vec4f(to_byte(r0 * scale), 1.0),
      vec4f(to_byte(r1 * scale), 1.0),
      vec4f(to_byte(r2 * scale), 1.0),
      vec4f(to_byte(r3 * scale), 1.0),
    );
    let t = (f32(y - pixel.y) - middle.y + 0.5) * narrow.y;
    let step = shrink.y * narrow.y;
    sum0 += bytes * (weights(t, narrow.y) * inside);
    sum1 += bytes * (weights(t - step, narrow.y) * inside);
    sum2 += bytes * (weights(t - 2.0 * step, narrow.y) * inside);
    sum3 += bytes * (weights(t - 3.0 * step, narrow.y) * inside);
    sum4 += bytes * (weights(t - 4.0 * step, narrow.y) * inside);
    sum5 += bytes * (weights(t - 5.0 * step, narrow.y) * inside);
    sum6 += bytes * (weights(t - 6.0 * step, narrow.y) * inside);
    sum7 += bytes * (weights(t - 7.0 * step, narrow.y) * inside);
  }
  let out = group.y * params.height * params.width + row * params.width + column;
  image[out] = pack(sum0.xyz / sum0.w);
  if (row + 1u < params.height) { image[out + params.width] = pack(sum1.xyz / sum1.w); }
  if (row + 2u < params.height) { image[out + 2u * params.width] = pack(sum2.xyz / sum2.w); }
  if (row + 3u < params.height) { image[out + 3u * params.width] = pack(sum3.xyz / sum3.w); }
  if (row + 4u < params.height) { image[out + 4u * params.width] = pack(sum4.xyz / sum4.w); }
  if (row + 5u < params.height) { image[out + 5u * params.width] = pack(sum5.xyz / sum5.w); }
  if (row + 6u < params.height) { image[out + 6u * params.width] = pack(sum6.xyz / sum6.w); }
  if (row + 7u < params.height) { image[out + 7u * params.width] = pack(sum7.xyz / sum7.w); }
}
