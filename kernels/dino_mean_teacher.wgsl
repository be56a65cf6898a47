// The mean teacher distribution: out [C] = Σ over the rows of softmax((teacher − center) / temp), over `whole_rows`
// [+ the old out: accumulate is 1].
//
// whole_rows: the rows of the whole batch; more than those here where it comes in micro-batches.
// state: as dino_stats left it.
// Launch: grid(C, 64), one dimension per invocation.

struct Params { rows: u32, dim: u32, temp_index: u32, whole_rows: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read> center: array<f32>;
@group(0) @binding(3) var<storage, read> state: array<vec4f>;
@group(0) @binding(4) var<storage, read> scalars: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let k = (wg.y * num.x + wg.x) * 64u + local;
  if (k >= params.dim) { return; }
  let temp = scalars[params.temp_index];
  var mean = 0.0;
  for (var r = 0u; r < params.rows; r++) {
    mean += exp((teacher[r * params.dim + k] - center[k]) / temp - state[r].x) / state[r].z;
  }
  mean /= f32(params.whole_rows);
  if (params.accumulate != 0u) { mean += out[k]; }
  out[k] = mean;
}
