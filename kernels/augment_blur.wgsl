// Gaussian blur along one axis, as PIL approximates it: three box blurs of fractional radius.
//
//   views [N, 12]         vec4f, layout in lib/augmentation/parameters.ts
//   image [2, N, P, H, W] u32, RGBA8; the picture goes from half params.half to the other one
//
// Launch: grid(N * P * lines, 64); one invocation walks one row (or column). It alone reads and writes that
// line, in both halves, so the three passes need no barrier. A view that is not blurred costs nothing
// (and its picture stays in half 0: launch for rows with half 0, then for columns with half 1).
//
// Every pass repeats the edge pixel and rounds to 8 bits; weights have 24 bits and sum to 2^24, so that
// 255 * 2^24 + 2^23 just fits a u32 and the result equals PIL's. Source: Gwosdek et al., "Theoretical
// foundations of Gaussian convolution by extended box filtering" (2011).

struct Params {
  pictures: u32, // N * P
  planes: u32, // P: planes of three channels of a view
  lines: u32, // lines in one picture: H for rows, W for columns
  length: u32, // pixels in one line
  line_stride: u32, // in pixels
  step: u32, // in pixels
  half: u32, // where the picture is: 0 or 1
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> views: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> image: array<u32>;

const VIEW = 12u;
const BLUR = 4u; // radius (whole pixels), weight inside, weight of the two edge pixels, 1 if blurred

fn load(line: u32, position: i32) -> vec3u {
  let i = u32(clamp(position, 0, i32(params.length) - 1));
  return (vec3u(image[line + i * params.step]) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
}

// Five neighbouring values of a line.
struct Window { a: vec3u, b: vec3u, c: vec3u, d: vec3u, e: vec3u }

// Moves on by one value. At position 0 the window is filled, past the last one the last value is repeated.
fn push(w: Window, value: vec3u, position: i32, last: i32) -> Window {
  let v = select(w.e, value, position <= last);
  if (position <= 0) { return Window(v, v, v, v, v); }
  return Window(w.b, w.c, w.d, w.e, v);
}

// A box blur of whole radius 0 or 1, of the value in the middle.
fn box(w: Window, center: u32, near: u32, far: u32) -> vec3u {
  return (w.c * center + (w.b + w.d) * near + (w.a + w.e) * far + (1u << 23u)) >> vec3u(24u);
}

// All three box blurs in one walk, where the whole radius is 0 or 1 (a standard deviation up to 2.4 pixels):
// each is two values behind the one before it.
fn three_passes(src: u32, dst: u32, length: i32, radius: i32, inside: u32, edge: u32) {
  let near = select(edge, inside, radius == 1);
  let far = select(0u, edge, radius == 1);
  let last = length - 1;
  let none = vec3u(0u);
  var first = Window(none, none, none, none, none);
  var second = first;
  var third = first;
  let end = select(length + 6, 0, length == 0);
  for (var x = 0; x < end; x++) {
    first = push(first, load(src, x), x, last);
    second = push(second, box(first, inside, near, far), x - 2, last);
    third = push(third, box(second, inside, near, far), x - 4, last);
    if (x >= 6) {
      let v = box(third, inside, near, far);
      image[dst + u32(x - 6) * params.step] = v.x | (v.y << 8u) | (v.z << 16u) | 0xff000000u;
    }
  }
}

// One box blur of any radius: a running sum. Skipped when `length` is 0.
fn box_pass(src: u32, dst: u32, length: i32, radius: i32, inside: u32, edge: u32) {
  var sum = vec3u(0u);
  for (var i = select(-radius, radius + 1, length == 0); i <= radius; i++) { sum += load(src, i); }
  var left = load(src, 0);
  var right = load(src, radius + 1);
  for (var x = 0; x < length; x++) {
    let v = (sum * inside + (left + right) * edge + (1u << 23u)) >> vec3u(24u);
    image[dst + u32(x) * params.step] = v.x | (v.y << 8u) | (v.z << 16u) | 0xff000000u;
    left = load(src, x - radius);
    sum += right - left;
    right = load(src, x + radius + 2);
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + local;
  if (i >= params.pictures * params.lines) { return; }
  let n = i / params.lines;
  let blur = views[n / params.planes * VIEW + BLUR];
  if (blur.w == 0.0) { return; }
  let area = params.lines * params.length;
  let line = n * area + (i % params.lines) * params.line_stride;
  let all = params.pictures * area;
  let here = line + params.half * all;
  let there = line + (1u - params.half) * all;
  let radius = i32(blur.x);
  let inside = u32(blur.y);
  let edge = u32(blur.z);
  let length = i32(params.length);
  three_passes(here, there, select(0, length, radius < 2), radius, inside, edge);
  let wide = select(length, 0, radius < 2);
  box_pass(here, there, wide, radius, inside, edge);
  box_pass(there, here, wide, radius, inside, edge);
  box_pass(here, there, wide, radius, inside, edge);
}
