// The mean of all places of a map [B, places, C], by itself or as the token before them; or its gradient.
//
// `tokens` is 1 where the places follow their mean, else 0: rows = 1 + tokens · places of the features of a picture.
// BACK false: out [S, rows, C], pictures from `first` on = the mean, then the places.
// BACK true: out [B, places, C] = the mean's gradient / places + that of the place.
// Launch: grid(n, 64), n elements of the pictures' part of out.

struct Params { n: u32, places: u32, channels: u32, tokens: u32, first: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

override BACK: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let channel = i % params.channels;
  let row = i / params.channels;
  let rows = 1u + params.tokens * params.places;
  if (BACK) {
    let start = ((row / params.places + params.first) * rows) * params.channels + channel;
    var v = src[start] / f32(params.places);
    if (params.tokens != 0u) { v += src[start + (1u + row % params.places) * params.channels]; }
    out[i] = v;
    return;
  }
  let picture = row / rows * params.places;
  let to = i + params.first * rows * params.channels;
  if (row % rows != 0u) {
    out[to] = src[(picture + row % rows - 1u) * params.channels + channel];
    return;
  }
  var sum = 0.0;
  for (var p = 0u; p < params.places; p++) { sum += src[(picture + p) * params.channels + channel]; }
  out[to] = sum / f32(params.places);
}
