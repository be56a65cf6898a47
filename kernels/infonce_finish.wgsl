// Ends InfoNCE: what is left once its terms are means over the batch.
//
// sums [3, G, V] (per pair of views, as infonce_rows says) → pair_loss [G, V]; loss [1] and accuracy [1], the means
// over the G (V − 1) pairs of different views; if LEARNED, grad [1] = weight · the mean of the third, 0 where
// log_scale[0] > most. accumulate and add_grad: add to what is there.
// Launch: one invocation.

struct Params { globals: u32, views: u32, accumulate: u32, add_grad: u32, weight: f32, most: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> log_scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> pair_loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> accuracy: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad: array<f32>;

override LEARNED: bool = false;

@compute @workgroup_size(1)
fn main() {
  let views = params.globals * params.views;
  var total = 0.0;
  var hits = 0.0;
  var slope = 0.0;
  for (var i = 0u; i < views; i++) {
    total += sums[i];
    hits += sums[views + i];
    slope += sums[2u * views + i];
    pair_loss[i] = sums[i] + select(0.0, pair_loss[i], params.accumulate != 0u);
  }
  let pairs = f32(params.globals * (params.views - 1u));
  loss[0] = total / pairs + select(0.0, loss[0], params.accumulate != 0u);
  accuracy[0] = hits / pairs + select(0.0, accuracy[0], params.accumulate != 0u);
  if (LEARNED) {
    let own = select(params.weight * slope / pairs, 0.0, log_scale[0] > params.most);
    grad[0] = own + select(0.0, grad[0], params.add_grad != 0u);
  }
}
