// What batch norm normalises by, stats [2, C]: means, then 1 / √(variance + eps).
//
// BATCH true: of the batch, from mean [C] and sums [2, C] of batch_norm_sums.wgsl, with the variance of R rows over R;
// running ← (1 − momentum) · running + momentum · the batch's, with the variance over R − 1.
// BATCH false: the running ones.
// Launch: grid(C, 64).

struct Params { cols: u32, rows: f32, eps: f32, momentum: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;

override BATCH: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let c = (wg.y * num.x + wg.x) * 64u + local;
  if (c >= params.cols) { return; }
  var middle = 0.0;
  var variance = 0.0;
  if (BATCH) {
    let off = sums[params.cols + c] / params.rows;
    middle = mean[c] + off;
    variance = max(0.0, sums[c] / params.rows - off * off);
    let unbiased = variance * (params.rows / (params.rows - 1.0));
    let keep = 1.0 - params.momentum;
    running_mean[c] = keep * running_mean[c] + params.momentum * middle;
    running_var[c] = keep * running_var[c] + params.momentum * unbiased;
  } else {
    middle = running_mean[c];
    variance = running_var[c];
  }
  stats[c] = middle;
  stats[params.cols + c] = 1.0 / sqrt(variance + params.eps);
}
