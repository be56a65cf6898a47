// The centre's moving average: center = m · center + (1 − m) · mean over all rows of the raw teacher
// logits, per dimension (Caron et al. 2021, arXiv:2104.14294, eq. 4).
//
// Does nothing while flag[0] is set: a step with a non-finite loss or gradient leaves no trace.
// Launch: grid(K, 64), one dimension per invocation.

struct Params { rows: u32, dim: u32, momentum: f32, rest: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read> flag: array<u32>;
@group(0) @binding(3) var<storage, read_write> center: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let k = (wg.y * num.x + wg.x) * 64u + local;
  if (k >= params.dim || flag[0] != 0u) { return; }
  var sum = 0.0;
  for (var r = 0u; r < params.rows; r++) { sum += teacher[r * params.dim + k]; }
  center[k] = center[k] * params.momentum + sum / f32(params.rows) * params.rest;
}
