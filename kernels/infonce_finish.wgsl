// Ends InfoNCE: what is left once its terms are means over the batch.
//
// sums [3, G, V] (per pair of views, as infonce_rows says) → pair_loss [G, V]; loss [1] and accuracy [1], the means
// over the G (V − 1) pairs of different views; if LEARNED, grad [1] = weight · the mean of the third, 0 where
// log_scale[0] > most. accumulate and add_grad: add to what is there.
// sums, pair_loss and loss are floats by their bits: what is not finite is handed on as NaN (bits.wgsl).
// Launch: one invocation.

struct Params { globals: u32, views: u32, accumulate: u32, add_grad: u32, weight: f32, most: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<u32>;
@group(0) @binding(2) var<storage, read> log_scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> pair_loss: array<u32>;
@group(0) @binding(4) var<storage, read_write> loss: array<u32>;
@group(0) @binding(5) var<storage, read_write> accuracy: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad: array<f32>;

override LEARNED: bool = false;

@compute @workgroup_size(1)
fn main() {
  let views = params.globals * params.views;
  let accumulate = params.accumulate != 0u;
  var total = 0.0;
  var lost = accumulate && is_odd(loss[0]);
  var hits = 0.0;
  var slope = 0.0;
  for (var i = 0u; i < views; i++) {
    let before = select(0u, pair_loss[i], accumulate);
    let odd = is_odd(sums[i]);
    total += bitcast<f32>(sums[i]);
    lost |= odd;
    hits += bitcast<f32>(sums[views + i]);
    slope += bitcast<f32>(sums[2u * views + i]);
    pair_loss[i] = bits_or_nan(bitcast<f32>(sums[i]) + bitcast<f32>(before), odd || is_odd(before));
  }
  let pairs = f32(params.globals * (params.views - 1u));
  loss[0] = bits_or_nan(total / pairs + select(0.0, bitcast<f32>(loss[0]), accumulate), lost);
  accuracy[0] = hits / pairs + select(0.0, accuracy[0], accumulate);
  if (LEARNED) {
    let own = select(params.weight * slope / pairs, 0.0, log_scale[0] > params.most);
    grad[0] = own + select(0.0, grad[0], params.add_grad != 0u);
  }
}
