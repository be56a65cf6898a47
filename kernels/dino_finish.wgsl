// Ends the DINO loss: means over the batch in a fixed order, and diagnostics.
//
// pair [V·B, G], stats [G·B, 4], mean_entropy [1] → pair_loss [G, V] (mean over the batch) and
// metrics [4] = (loss, mean teacher entropy, entropy of the mean teacher distribution, mean KL(teacher ‖ student)
// over the pairs), in nats.
// Launch: one workgroup of one invocation; G·V·B terms.

struct Params { batch: u32, globals: u32, views: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pair: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<vec4f>;
@group(0) @binding(3) var<storage, read> mean_entropy: array<f32>;
@group(0) @binding(4) var<storage, read_write> pair_loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(1)
fn main() {
  let n = f32(params.batch);
  var total = 0.0;
  var entropy_total = 0.0;
  var kl = 0.0;
  for (var g = 0u; g < params.globals; g++) {
    var entropy = 0.0;
    for (var b = 0u; b < params.batch; b++) { entropy += stats[g * params.batch + b].y; }
    entropy /= n;
    entropy_total += entropy;
    for (var v = 0u; v < params.views; v++) {
      var sum = 0.0;
      for (var b = 0u; b < params.batch; b++) { sum += pair[(v * params.batch + b) * params.globals + g]; }
      sum /= n;
      pair_loss[g * params.views + v] = sum;
      if (g != v) {
        total += sum;
        kl += sum - entropy;
      }
    }
  }
  let terms = f32(params.globals * (params.views - 1u));
  let loss = total / terms;
  metrics[0] = loss;
  metrics[1] = entropy_total / f32(params.globals);
  metrics[2] = mean_entropy[0];
  metrics[3] = kl / terms;
}
