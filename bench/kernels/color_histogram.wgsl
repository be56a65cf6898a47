// How often each colour is in an image: the root of its share of the pixels. For the benchmark only.
//
// Bindings: 0 Params, 1 images [n, 3, pixels], normalised, 2 out [n, LEVELS³].
// Constants: LEVELS of each channel.
// Launch: one invocation per element of out, workgroups of 64.
// Source: Swain and Ballard, "Color indexing", 1991; the root makes the dot product of two histograms
// Bhattacharyya's coefficient.

override LEVELS: u32 = 6;

struct Params {
  n: u32,
  pixels: u32,
  mean_red: f32,
  mean_green: f32,
  mean_blue: f32,
  std_red: f32,
  std_green: f32,
  std_blue: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> images: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let bins = LEVELS * LEVELS * LEVELS;
  let id = (group.y * groups.x + group.x) * 64 + lane;
  if (id >= p.n * bins) {
    return;
  }
  let bin = id % bins;
  let wanted = vec3u(bin / (LEVELS * LEVELS), bin / LEVELS % LEVELS, bin % LEVELS);
  let mean = vec3f(p.mean_red, p.mean_green, p.mean_blue);
  let deviation = vec3f(p.std_red, p.std_green, p.std_blue);
  let first = id / bins * 3 * p.pixels;
  var count = 0u;
  for (var i = 0u; i < p.pixels; i++) {
    let at = first + i;
    let color = vec3f(images[at], images[at + p.pixels], images[at + 2 * p.pixels]) * deviation + mean;
    let level = min(vec3u(clamp(color, vec3f(0), vec3f(1)) * f32(LEVELS)), vec3u(LEVELS - 1));
    count += select(0u, 1u, all(level == wanted));
  }
  out[id] = sqrt(f32(count) / f32(p.pixels));
}
