// Half a Sinkhorn–Knopp iteration, over the prototypes: the centre that gives each of them the same weight.
//
// teacher [R, C], state [R] (of dino_stats with the centre before; unused if params.first) → center [C] =
// temp · log Σ_r exp(teacher / temp − L_r), L_r the row's log-sum-exp. The other half is dino_stats with this
// centre: softmax((teacher − center) / temp) then normalises each sample (Caron et al. 2020, arXiv:2006.09882,
// section 3.1; Cuturi 2013). Constants common to all prototypes are left out: softmax does not see them.
// WEIGHTED: rows whose weights [R] are 0 do not count.
// Launch: grid(C, 64), one prototype per invocation; two loops over R.

struct Params { rows: u32, dim: u32, temp_index: u32, first: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<vec4f>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read_write> center: array<f32>;

override WEIGHTED: bool = false;

fn counts(r: u32) -> bool {
  if (WEIGHTED) { return weights[r] != 0.0; }
  return true;
}

fn weight(r: u32, k: u32, temp: f32) -> f32 {
  let z = teacher[r * params.dim + k] / temp;
  if (params.first != 0u) { return z; }
  return z - state[r].x - state[r].y;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let k = (wg.y * num.x + wg.x) * 64u + local;
  if (k >= params.dim) { return; }
  let temp = scalars[params.temp_index];
  var top = -3.4028234e38;
  for (var r = 0u; r < params.rows; r++) {
    if (counts(r)) { top = max(top, weight(r, k, temp)); }
  }
  var sum = 0.0;
  for (var r = 0u; r < params.rows; r++) {
    if (counts(r)) { sum += exp(weight(r, k, temp) - top); }
  }
  center[k] = temp * (top + log(sum));
}
