// Weight normalisation per output row (Salimans and Kingma 2016, arXiv:1602.07868): w = g · v / ‖v‖.
//
// v [K, D], g [K] → w [K, D], norms [K].
// The row is divided by its largest magnitude first, so that squares neither overflow nor vanish.
// VEC: D is a multiple of 4, and rows are walked in vec4s.
// Launch: 64 invocations, LANES of them per row: grid(K · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> v: array<vec4f>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> norms: array<f32>;


// Scalars, as a write of one component of a vec4 may touch the whole, and neighbours belong to other invocations.
fn put(at: u32, value: vec4f) {
  if (VEC) {
    w[4u * at] = value.x;
    w[4u * at + 1u] = value.y;
    w[4u * at + 2u] = value.z;
    w[4u * at + 3u] = value.w;
  } else {
    w[at] = value.x;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let width = select(params.dim, params.dim / 4u, VEC);
  let base = row * width;
  var tops = vec4f();
  for (var d = lane; d < width; d += LANES) { tops = max(tops, abs(load_v(base + d))); }
  let top = combine(max(max(tops.x, tops.y), max(tops.z, tops.w)), local, true);
  var squares = vec4f();
  for (var d = lane; d < width; d += LANES) {
    let u = load_v(base + d) / top;
    squares += u * u;
  }
  let norm = sqrt(combine(squares.x + squares.y + squares.z + squares.w, local, false)) * top;
  if (!live) { return; }
  let scale = g[row] / norm;
  for (var d = lane; d < width; d += LANES) {
    let at = base + d;
    put(at, load_v(at) * scale);
  }
  if (lane == 0u) { norms[row] = norm; }
}
