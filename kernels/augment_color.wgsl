// Brightness, contrast, saturation, hue and grayscale, in the order that each view lists.
//
//   views [N, 12]         vec4f, layout in lib/augmentation/parameters.ts
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
const VIEW = 12u;
const HEADER = 5u; // solarize threshold, number of operations, index of contrast (that number: none)
const FIRST = 6u;
// Operations are (kind, factor or shift, 0, 0). Kind 0 blends with black, 3 with the mean luma: contrast.
const LUMA = 1.0; // blends with the own luma
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

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let area = params.area;
  let base = group.x * area;
  let view = group.x / params.planes * VIEW;
  let slots = view + FIRST;
  let header = views[view + HEADER];
  let count = u32(header.y);
  let contrast = u32(header.z);
  let factor = views[slots + min(contrast, 4u)].y;

  // Twice: the operations before contrast, then contrast and those after it. Pixels are walked once per
  // operation, and a walk that isn't wanted begins at its end: drivers that run both sides of a branch would
  // otherwise turn hues for every operation.
  for (var part = 0u; part < 2u; part++) {
    if (part == 1u) {
      let mean = f32((atomicLoad(&luma_sum) + area / 2u) / area);
      for (var i = select(area, local, contrast < count); i < area; i += WG) {
        store(base + i, truncate(mean + factor * (load(base + i) - mean)));
      }
    }
    let last = select(contrast, count, part == 1u);
    for (var k = select(0u, contrast + 1u, part == 1u); k < last; k++) {
      let slot = slots + k;
      let head = views[slot];
      let is_hue = head.x == HUE;
      for (var i = select(local, area, is_hue); i < area; i += WG) {
        let color = load(base + i);
        let low = vec3f(select(0.0, f32(luma(color)), head.x == LUMA));
        store(base + i, truncate(low + head.y * (color - low)));
      }
      for (var i = select(area, local, is_hue); i < area; i += WG) {
        store(base + i, turn_hue(load(base + i), u32(head.y)));
      }
    }
    if (part == 0u) {
      var sum = 0u;
      for (var i = select(area, local, contrast < count); i < area; i += WG) {
        sum += luma(load(base + i));
      }
      atomicAdd(&luma_sum, sum);
    }
    workgroupBarrier();
  }
}
