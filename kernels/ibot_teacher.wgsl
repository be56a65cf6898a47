// What the teacher says of the masked tokens together, per output dimension.
//
// Over the rows r of teacher [M, C] whose weight is not 0: mean_teacher [C] = Σ softmax((teacher − center) / temp),
// batch_sum [C] = Σ teacher [+ what they held: accumulate is 1].
// state: as dino_stats left it.
// Launch: grid(C, 64), one dimension per invocation.

struct Params { rows: u32, dim: u32, temp_index: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read> center: array<f32>;
@group(0) @binding(3) var<storage, read> state: array<vec4f>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> scalars: array<f32>;
@group(0) @binding(6) var<storage, read_write> mean_teacher: array<f32>;
@group(0) @binding(7) var<storage, read_write> batch_sum: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let k = (wg.y * num.x + wg.x) * 64u + local;
  if (k >= params.dim) { return; }
  let temp = scalars[params.temp_index];
  var mean = 0.0;
  var sum = 0.0;
  for (var r = 0u; r < params.rows; r++) {
    if (weights[r] != 0.0) {
      let logit = teacher[r * params.dim + k];
      mean += exp((logit - center[k]) / temp - state[r].x) / state[r].z;
      sum += logit;
    }
  }
  if (params.accumulate != 0u) {
    mean += mean_teacher[k];
    sum += batch_sum[k];
  }
  mean_teacher[k] = mean;
  batch_sum[k] = sum;
}
