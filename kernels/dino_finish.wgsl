// Ends the DINO loss: what is left once pairs, entropies and the teacher's distributions are means over the batch.
//
// pair_loss [G, V], entropy [G], mean_teacher [K] → metrics [4] = (loss, mean teacher entropy, entropy of
// the mean teacher distribution, mean KL(teacher ‖ student) over the pairs), in nats.
// All but mean_teacher are floats by their bits: what is not finite is handed on as NaN (bits.wgsl).
// Sums over K as row_sum does: each lane its elements from first to last, then lane after lane.
// Launch: one workgroup of LANES invocations; G · V terms by the first.

struct Params { globals: u32, views: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pair_loss: array<u32>;
@group(0) @binding(2) var<storage, read> entropy: array<u32>;
@group(0) @binding(3) var<storage, read> mean_teacher: array<f32>;
@group(0) @binding(4) var<storage, read_write> metrics: array<u32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var mean_entropy = 0.0;
  for (var k = lane; k < params.dim; k += LANES) {
    let p = mean_teacher[k];
    mean_entropy += -p * log(max(p, 1.1754944e-38));
  }
  if (LANES > 1u) {
    partial[lane] = mean_entropy;
    workgroupBarrier();
    mean_entropy = 0.0;
    for (var i = 0u; i < LANES; i++) { mean_entropy += partial[i]; }
  }
  if (lane != 0u) { return; }
  var total = 0.0;
  var entropies = 0.0;
  var lost = false;
  var unknown = false;
  for (var g = 0u; g < params.globals; g++) {
    entropies += bitcast<f32>(entropy[g]);
    unknown |= is_odd(entropy[g]);
    for (var v = 0u; v < params.views; v++) {
      let pair = pair_loss[g * params.views + v];
      if (g != v) {
        total += bitcast<f32>(pair);
        lost |= is_odd(pair);
      }
    }
  }
  let loss = total / f32(params.globals * (params.views - 1u));
  let mean = entropies / f32(params.globals);
  metrics[0] = bits_or_nan(loss, lost);
  metrics[1] = bits_or_nan(mean, unknown);
  metrics[2] = bitcast<u32>(mean_entropy);
  // Every view of the teacher meets the same number of student views.
  metrics[3] = bits_or_nan(loss - mean, lost || unknown);
}
