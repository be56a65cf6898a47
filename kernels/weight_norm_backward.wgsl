// Gradient of weight normalisation: with u = v / ‖v‖ and s = Σ dw · u per row,
// dv = g / ‖v‖ · (dw − s · u) [+ the old dv], dg = s [+ the old dg] (Salimans and Kingma 2016, eq. 3).
//
// dv is out. ACCUMULATE_V, ACCUMULATE_G add to what is there; WEIGHT_G false leaves dg alone.
// VEC: D is a multiple of 4, and rows are walked in vec4s.
// Launch: 64 invocations, LANES of them per row: grid(K · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> v: array<vec4f>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read> dw: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> dg: array<f32>;
alias out_real = f32;

override LANES: u32 = 1u;
override ACCUMULATE_V: bool = false;
override ACCUMULATE_G: bool = false;
override WEIGHT_G: bool = false;
var<workgroup> partial: array<f32, 64>;

fn load_dw(i: u32) -> vec4f {
  if (VEC) { return dw[i]; }
  return vec4f(dw[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

fn old_dv(at: u32) -> vec4f {
  if (VEC) { return vec4f(out[4u * at], out[4u * at + 1u], out[4u * at + 2u], out[4u * at + 3u]); }
  return vec4f(out[at], 0.0, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let width = select(params.dim, params.dim / 4u, VEC);
  let base = row * width;
  let norm = norms[row];
  var dots = vec4f();
  for (var d = lane; d < width; d += LANES) { dots += load_dw(base + d) * (load_v(base + d) / norm); }
  var dot = dots.x + dots.y + dots.z + dots.w;
  if (LANES > 1u) {
    partial[local] = dot;
    workgroupBarrier();
    dot = 0.0;
    for (var k = 0u; k < LANES; k++) { dot += partial[local - lane + k]; }
  }
  if (!live) { return; }
  let scale = g[row] / norm;
  for (var d = lane; d < width; d += LANES) {
    let at = base + d;
    var value = scale * (load_dw(at) - dot * (load_v(at) / norm));
    if (ACCUMULATE_V) { value += old_dv(at); }
    put(at, value);
  }
  if (WEIGHT_G && lane == 0u) {
    if (ACCUMULATE_G) { dot += dg[row]; }
    dg[row] = dot;
  }
}
