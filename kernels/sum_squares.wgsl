// Sums of squares of blocks of a gradient arena, for the norms of its tensors.
//
// blocks [n] of (first element, length) → partial [n, 2] = (largest magnitude m, Σ (x / m)²): neither
// overflows nor vanishes. Each block in a fixed order.
// Launch: grid(n, 64), one block per invocation.

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad: array<f32>;
@group(0) @binding(2) var<storage, read> blocks: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let block = blocks[i];
  var top = 0.0;
  var bad = 0u;
  for (var e = block.x; e < block.x + block.y; e++) {
    let v = abs(grad[e]);
    bad = max(bad, bitcast<u32>(v));
    top = max(top, v);
  }
  if (bad >= 0x7f800000u) {
    // NaN or infinity somewhere in the block: hand its bits on, max() may have dropped them.
    partial[i] = vec2f(bitcast<f32>(bad), 1.0);
    return;
  }
  var sum = 0.0;
  if (top > 0.0) {
    for (var e = block.x; e < block.x + block.y; e++) {
      let v = grad[e] / top;
      sum += v * v;
    }
  }
  partial[i] = vec2f(top, sum);
}
