// Gradient of weight normalisation: with u = v / ‖v‖ and s = Σ dw · u per row,
// dv = g / ‖v‖ · (dw − s · u) [+ the old dv], dg = s [+ the old dg] (Salimans and Kingma 2016, eq. 3).
//
// ACCUMULATE_V, ACCUMULATE_G add to what is there; WEIGHT_G false leaves dg alone.
// Launch: 64 invocations, LANES of them per row: grid(K · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read> dw: array<f32>;
@group(0) @binding(5) var<storage, read_write> dv: array<f32>;
@group(0) @binding(6) var<storage, read_write> dg: array<f32>;

override LANES: u32 = 1u;
override ACCUMULATE_V: bool = false;
override ACCUMULATE_G: bool = false;
override WEIGHT_G: bool = false;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let base = row * params.dim;
  let norm = norms[row];
  var dot = 0.0;
  for (var d = lane; d < params.dim; d += LANES) { dot += dw[base + d] * (v[base + d] / norm); }
  if (LANES > 1u) {
    partial[local] = dot;
    workgroupBarrier();
    dot = 0.0;
    for (var k = 0u; k < LANES; k++) { dot += partial[local - lane + k]; }
  }
  if (!live) { return; }
  let scale = g[row] / norm;
  for (var d = lane; d < params.dim; d += LANES) {
    var value = scale * (dw[base + d] - dot * (v[base + d] / norm));
    if (ACCUMULATE_V) { value += dv[base + d]; }
    dv[base + d] = value;
  }
  if (WEIGHT_G && lane == 0u) {
    if (ACCUMULATE_G) { dot += dg[row]; }
    dg[row] = dot;
  }
}
