// Solarize, normalise, and turn RGBA8 pictures into float planes.
//
//   views [N, 32]       vec4f, layout in lib/augmentation/parameters.ts
//   image [2, N, H, W]  u32, RGBA8; plane 0 is read
//   out   [N, 3, H, W]  f32: level * scale + bias
//
// Launch: [ceil(H*W / 64), N, 1]; one invocation per pixel.

struct Params {
  area: u32, // H * W
  scale_r: f32,
  scale_g: f32,
  scale_b: f32,
  bias_r: f32,
  bias_g: f32,
  bias_b: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> views: array<vec4f>;
@group(0) @binding(2) var<storage, read> image: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const VIEW = 32u;
const HEADER = 5u;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let pixel = group.x * 64u + local;
  if (pixel >= params.area) { return; }
  let n = group.y;
  let threshold = views[n * VIEW + HEADER].x; // 256: never
  let packed = image[n * params.area + pixel];
  let level = vec3f((vec3u(packed) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
  let v = select(255.0 - level, level, level < vec3f(threshold));
  let at = n * 3u * params.area + pixel;
  out[at] = v.x * params.scale_r + params.bias_r;
  out[at + params.area] = v.y * params.scale_g + params.bias_g;
  out[at + 2u * params.area] = v.z * params.scale_b + params.bias_b;
}
