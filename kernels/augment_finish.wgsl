// Solarize, normalise, and turn RGBA8 pictures into float planes.
//
//   views [N, 12]         vec4f, layout in lib/augmentation/parameters.ts
//   image [2, N, P, H, W] u32, RGBA8: P planes of three channels; the first half is read
//   norm  [C, 2]          vec2f, scale and bias of every channel
//   out   [N, C, H, W]    f32: level * scale + bias
//
// Launch: [ceil(H*W / 256), N * P, 1]; one invocation per four pixels and plane.

struct Params { area: u32, planes: u32, channels: u32 } // H * W, P, C

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> views: array<vec4f>;
@group(0) @binding(2) var<storage, read> image: array<u32>;
@group(0) @binding(3) var<storage, read> norm: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const VIEW = 12u;
const HEADER = 5u;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let n = group.y / params.planes;
  let first = (group.y % params.planes) * 3u;
  let count = min(3u, params.channels - first);
  let threshold = vec3f(views[n * VIEW + HEADER].x); // 256: never
  let r = norm[first];
  let g = norm[first + min(1u, count - 1u)];
  let b = norm[first + min(2u, count - 1u)];
  let scale = vec3f(r.x, g.x, b.x);
  let bias = vec3f(r.y, g.y, b.y);
  let area = params.area;
  let start = group.y * area;
  let at = (n * params.channels + first) * area;
  for (var k = 0u; k < 4u; k++) {
    let pixel = (group.x * 4u + k) * 64u + local;
    if (pixel < area) {
      let packed = image[start + pixel];
      let level = vec3f((vec3u(packed) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
      let v = select(255.0 - level, level, level < threshold) * scale + bias;
      out[at + pixel] = v.x;
      if (count > 1u) { out[at + area + pixel] = v.y; }
      if (count > 2u) { out[at + 2u * area + pixel] = v.z; }
    }
  }
}
