// The centre's moving average: center = m · center + (1 − m) · mean, with mean [K] that of the raw teacher
// logits over all rows, per dimension (Caron et al. 2021, arXiv:2104.14294, eq. 4).
//
// Does nothing while flag[0] is set or metrics[0], the loss, is not finite: a bad step leaves no trace.
// COUNTED: nor where metrics[4], how many rows the mean is of, is 0.
// Launch: grid(K, 64), one dimension per invocation.

struct Params { dim: u32, momentum: f32, rest: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> metrics: array<f32>;
@group(0) @binding(3) var<storage, read> flag: array<u32>;
@group(0) @binding(4) var<storage, read_write> center: array<f32>;

override COUNTED: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let k = (wg.y * num.x + wg.x) * 64u + local;
  let odd = (bitcast<u32>(metrics[0]) & 0x7f800000u) == 0x7f800000u;
  if (k >= params.dim || flag[0] != 0u || odd) { return; }
  if (COUNTED) { if (metrics[4] == 0.0) { return; } }
  center[k] = center[k] * params.momentum + mean[k] * params.rest;
}
