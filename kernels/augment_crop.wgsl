// Crop, resize (bicubic, a = -0.5, antialiased when shrinking) and flip a batch of RGBA8 pictures.
//
//   source [pixels]        u32, RGBA8 with r in the low byte; all pictures of the batch, packed: of a
//                          picture its P planes of three channels, one after the other
//   table  [B]             vec4u (offset in pixels, width, height, 0) per picture
//   views  [N, 12]         vec4f, layout in lib/augmentation/parameters.ts; view n reads picture n mod B
//   image  [2, N, P, H, W] u32, RGBA8; the first half is written
//
// Launch: [ceil(H*W / 64), N * P, 1]; one invocation per output pixel and plane.
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

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let pixel = group.x * 64u + local;
  let n = group.y / params.planes;
  let area = params.height * params.width;
  if (pixel >= area) { return; }

  // The matrix takes output pixel coordinates to source coordinates; its diagonal is the shrink factor
  // (negative in x when flipped).
  let view = n * VIEW;
  let transform = mat3x3f(views[view].xyz, views[view + 1u].xyz, views[view + 2u].xyz);
  let box = views[view + 3u]; // left, top, width, height
  let middle = (transform * vec3f(
    f32(pixel % params.width) + 0.5,
    f32(pixel / params.width) + 0.5,
    1.0,
  )).xy;
  let stretch = max(abs(vec2f(transform[0].x, transform[1].y)), vec2f(1.0));
  let support = 2.0 * stretch;
  let low = vec2i(max(floor(middle - support + 0.5), box.xy));
  let high = vec2i(min(floor(middle + support + 0.5), box.xy + box.zw));
  let narrow = 1.0 / stretch;

  // Four rows and two columns at a time: rows share the weights of their columns, and no invocation takes
  // more than 65535 turns of a loop, after which Mesa 22's software Vulkan silently leaves it.
  let picture = table[n % params.batch];
  let first = picture.x + (group.y % params.planes) * picture.y * picture.z;
  var total = vec2f(0.0);
  var sum = vec3f(0.0);
  for (var y = low.y; y < high.y; y += 4) {
    let rows = high.y - y;
    var at = first + u32(y) * picture.y + u32(low.x);
    total.x = 0.0;
    var r0 = vec3f(0.0);
    var r1 = vec3f(0.0);
    var r2 = vec3f(0.0);
    var r3 = vec3f(0.0);
    for (var x = low.x; x < high.x; x += 2) {
      let t = (f32(x) - middle.x + 0.5) * narrow.x;
      let w0 = cubic(t);
      let w1 = select(0.0, cubic(t + narrow.x), x + 1 < high.x);
      total.x += w0 + w1;
      r0 += taps(at, w0, w1);
      if (rows > 1) { r1 += taps(at + picture.y, w0, w1); }
      if (rows > 2) { r2 += taps(at + 2u * picture.y, w0, w1); }
      if (rows > 3) { r3 += taps(at + 3u * picture.y, w0, w1); }
      at += 2u;
    }
    let t = (f32(y) - middle.y + 0.5) * narrow.y;
    let v0 = cubic(t);
    let v1 = select(0.0, cubic(t + narrow.y), rows > 1);
    let v2 = select(0.0, cubic(t + 2.0 * narrow.y), rows > 2);
    let v3 = select(0.0, cubic(t + 3.0 * narrow.y), rows > 3);
    total.y += v0 + v1 + v2 + v3;
    let scale = 1.0 / total.x;
    sum += v0 * to_byte(r0 * scale) + v1 * to_byte(r1 * scale) + v2 * to_byte(r2 * scale) +
      v3 * to_byte(r3 * scale);
  }
  let result = vec3u(to_byte(sum / total.y));
  image[group.y * area + pixel] = result.x | (result.y << 8u) | (result.z << 16u) | 0xff000000u;
}
