// Brightness, contrast, saturation, hue and grayscale, in the order that each view lists.
//
//   views [N, 32]         vec4f, layout in lib/augmentation/parameters.ts
//   image [2, N, P, H, W] u32, RGBA8: P planes of three channels; the first half is changed in place
//
// Launch: [N * P, 1, 1]; one workgroup per view and plane. A view without colour operations costs nothing.
//
// Contrast needs the mean luma of the picture as it stands at that moment: every invocation sums its own
// pixels after the operations before contrast, then finishes them. The sum is of integers, so its order
// does not matter (exact up to 2^24 pixels). Every operation ends in 8 bits, as in PIL and torchvision.

struct Params { area: u32, planes: u32 } // H * W, P

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> views: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> image: array<u32>;

override WG = 64u;
const VIEW = 32u;
const HEADER = 5u; // solarize threshold, number of operations, index of contrast (that number: none)
const FIRST = 6u;
const OPERATION = 5u; // (kind, slack, shift or factor, 0, 0) and a mat4
const HUE = 2.0;

var<workgroup> luma_sum: atomic<u32>;

fn load(i: u32) -> vec3f {
  return vec3f((vec3u(image[i]) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
}

fn store(i: u32, color: vec3f) {
  let c = vec3u(color);
  image[i] = c.x | (c.y << 8u) | (c.z << 16u) | 0xff000000u;
}

// ITU-R 601-2 luma in PIL's 16-bit fixed point.
fn luma(color: vec3f) -> u32 {
  let c = vec3u(color);
  return (c.x * 19595u + c.y * 38470u + c.z * 7471u + 0x8000u) >> 16u;
}

fn truncate(color: vec3f) -> vec3f {
  return floor(clamp(color, vec3f(0.0), vec3f(255.0)));
}

// Bit h: a hue of exactly h / 255 of a turn comes out of PIL's singles just below it, and is truncated to h - 1.
const LOW_HUES = array<u32, 8>(
  0xfffffffeu, 0x00000000u, 0x11000000u, 0x00000111u, 0x222aaaaau, 0x23232222u, 0x00022222u, 0x00000000u,
);

// RGB -> 8-bit HSV -> hue + shift modulo 256 -> RGB. All quotients of PIL's formulas are rational with
// small denominators, so they are taken exactly: numerators stay below 2^19, and adding a half keeps
// floor() clear of rounding; constant divisors are cheap as integers.
fn turn_hue(color: vec3f, shift: u32) -> vec3f {
  let top = max(color.x, max(color.y, color.z));
  let span = top - min(color.x, min(color.y, color.z));
  if (span == 0.0) { return color; }
  var sector = 4.0 * span + color.x - color.y; // in units of span: 0 red, 2 green, 4 blue
  if (color.y == top) { sector = 2.0 * span + color.z - color.x; }
  if (color.x == top) { sector = color.y - color.z; }
  if (sector < 0.0) { sector += 6.0 * span; }
  let turn = u32((255.0 * sector + 0.5) / (6.0 * span));
  let whole = 255.0 * sector == f32(turn) * 6.0 * span;
  let low = select(0u, (LOW_HUES[turn >> 5u] >> (turn & 31u)) & 1u, whole);
  let h = (turn - low + shift) & 255u;
  let s = u32((255.0 * span + 0.5) / top);
  let v = u32(top);
  let i = h * 6u / 255u;
  let f = h * 6u - i * 255u;
  let p = f32((2u * v * (255u - s) + 255u) / 510u);
  let q = f32((2u * v * (65025u - s * f) + 65025u) / 130050u);
  let t = f32((2u * v * (65025u - s * (255u - f)) + 65025u) / 130050u);
  switch (i) {
    case 1u: { return vec3f(q, top, p); }
    case 2u: { return vec3f(p, top, t); }
    case 3u: { return vec3f(p, q, top); }
    case 4u: { return vec3f(t, p, top); }
    case 5u: { return vec3f(top, p, q); }
    default: { return vec3f(top, t, p); } // 0, and 6: the same hue
  }
}

fn change(color: vec3f, slot: u32) -> vec3f {
  let head = views[slot];
  if (head.x == HUE) { return turn_hue(color, u32(head.y)); }
  let m = mat4x4f(views[slot + 1u], views[slot + 2u], views[slot + 3u], views[slot + 4u]);
  return truncate((m * vec4f(color, f32(luma(color)))).xyz + head.y);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let base = group.x * params.area;
  let view = group.x / params.planes * VIEW;
  let slots = view + FIRST;
  let header = views[view + HEADER];
  let count = u32(header.y);
  let contrast = u32(header.z);
  if (count == 0u) { return; }

  var sum = 0u;
  for (var i = local; i < params.area; i += WG) {
    var color = load(base + i);
    for (var k = 0u; k < contrast; k++) { color = change(color, slots + k * OPERATION); }
    store(base + i, color);
    sum += luma(color);
  }
  if (contrast == count) { return; }

  atomicAdd(&luma_sum, sum);
  workgroupBarrier();
  let mean = f32((atomicLoad(&luma_sum) + params.area / 2u) / params.area);
  let factor = views[slots + contrast * OPERATION].y;
  for (var i = local; i < params.area; i += WG) {
    var color = truncate(mean + factor * (load(base + i) - mean));
    for (var k = contrast + 1u; k < count; k++) { color = change(color, slots + k * OPERATION); }
    store(base + i, color);
  }
}
