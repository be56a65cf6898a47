// Ends the DINO loss: what is left once pairs and entropies are means over the batch.
//
// pair_loss [G, V], entropy [G], mean_entropy [1] → metrics [4] = (loss, mean teacher entropy, entropy of
// the mean teacher distribution, mean KL(teacher ‖ student) over the pairs), in nats.
// Launch: one workgroup of one invocation; G · V terms.

struct Params { globals: u32, views: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pair_loss: array<f32>;
@group(0) @binding(2) var<storage, read> entropy: array<f32>;
@group(0) @binding(3) var<storage, read> mean_entropy: array<f32>;
@group(0) @binding(4) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(1)
fn main() {
  var total = 0.0;
  var entropies = 0.0;
  for (var g = 0u; g < params.globals; g++) {
    entropies += entropy[g];
    for (var v = 0u; v < params.views; v++) {
      if (g != v) { total += pair_loss[g * params.views + v]; }
    }
  }
  let loss = total / f32(params.globals * (params.views - 1u));
  let mean = entropies / f32(params.globals);
  metrics[0] = loss;
  metrics[1] = mean;
  metrics[2] = mean_entropy[0];
  // Every view of the teacher meets the same number of student views.
  metrics[3] = loss - mean;
}
