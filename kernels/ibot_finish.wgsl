// Ends the iBOT loss: what its sums over a batch's masked tokens say.
//
// sums [3] of ibot_rows, mean_teacher and batch_sum [K] of ibot_teacher → metrics [5] = (loss, mean teacher entropy,
// entropy of the mean teacher distribution, mean KL(teacher ‖ student), masked tokens), the first four in nats;
// batch_mean [K], the mean of the teacher's raw logits. All are 0 where no token is masked.
// sums and metrics are floats by their bits: what is not finite is handed on (bits.wgsl).
// Launch: one workgroup of LANES invocations.

struct Params { dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<u32>;
@group(0) @binding(2) var<storage, read> mean_teacher: array<f32>;
@group(0) @binding(3) var<storage, read> batch_sum: array<f32>;
@group(0) @binding(4) var<storage, read_write> batch_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> metrics: array<u32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  let count = max(1.0, bitcast<f32>(sums[2]));
  var mean_entropy = 0.0;
  for (var k = lane; k < params.dim; k += LANES) {
    let p = mean_teacher[k] / count;
    mean_entropy += -p * log(max(p, 1.1754944e-38));
    batch_mean[k] = batch_sum[k] / count;
  }
  if (LANES > 1u) {
    partial[lane] = mean_entropy;
    workgroupBarrier();
    mean_entropy = 0.0;
    for (var i = 0u; i < LANES; i++) { mean_entropy += partial[i]; }
  }
  if (lane != 0u) { return; }
  metrics[0] = sums[0];
  metrics[1] = sums[1];
  metrics[2] = bitcast<u32>(mean_entropy);
  metrics[3] = bits_or_nan(bitcast<f32>(sums[0]) - bitcast<f32>(sums[1]), is_odd(sums[0]) || is_odd(sums[1]));
  metrics[4] = sums[2];
}
