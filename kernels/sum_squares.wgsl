// Sums of squares of blocks of a gradient arena, for the norms of its tensors.
//
// blocks [n] of (first element, a multiple of 4; length) → partial [n, 2] = (largest magnitude m, Σ (x / m)²):
// neither overflows nor vanishes. A lane holds 8 vec4s at a time, so that each is read once; then the lanes, in
// order. Floats by their bits: with a number that is not finite, m has its own.
// Launch: 64 invocations, LANES of them per block: grid(n · LANES, 64). LANES divides 64.

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read> blocks: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec2u>;

override LANES: u32 = 1u;
const HELD = 8u;
// (m, Σ) of each lane; m as bits, for max() may drop a NaN.
var<workgroup> lanes: array<vec2u, 64>;

// What two parts make together.
fn merge(a: vec2f, b: vec2f) -> vec2f {
  let top = max(a.x, b.x);
  if (top == 0.0) { return vec2f(); }
  let scale = vec2f(a.x, b.x) / top;
  return vec2f(top, a.y * scale.x * scale.x + b.y * scale.y * scale.y);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let lane = i % LANES;
  let block = blocks[min(i / LANES, params.n - 1u)];
  let count = (block.y + 3u) / 4u;
  var bits = vec4u();
  var all = vec2f();
  for (var at = lane; at < count; at += HELD * LANES) {
    var v: array<vec4f, HELD>;
    var tops = vec4f();
    for (var k = 0u; k < HELD; k++) {
      let e = at + k * LANES;
      v[k] = vec4f();
      if (e < count) {
        v[k] = select(vec4f(), abs(grad[block.x / 4u + e]), vec4u(4u * e) + vec4u(0u, 1u, 2u, 3u) < vec4u(block.y));
      }
      tops = max(tops, v[k]);
      bits = max(bits, bitcast<vec4u>(v[k]));
    }
    let top = max(max(tops.x, tops.y), max(tops.z, tops.w));
    if (top > 0.0) {
      var sums = vec4f();
      for (var k = 0u; k < HELD; k++) {
        let u = v[k] / top;
        sums += u * u;
      }
      all = merge(all, vec2f(top, sums.x + sums.y + sums.z + sums.w));
    }
  }
  let bad = max(max(bits.x, bits.y), max(bits.z, bits.w));
  var most = max(bad, bitcast<u32>(all.x));
  if (LANES > 1u) {
    lanes[local] = vec2u(most, bitcast<u32>(all.y));
    workgroupBarrier();
    if (lane == 0u) {
      for (var k = 1u; k < LANES; k++) {
        most = max(most, lanes[local + k].x);
        all = merge(all, bitcast<vec2f>(lanes[local + k]));
      }
    }
  }
  if (lane == 0u && i / LANES < params.n) {
    partial[i / LANES] = vec2u(select(bitcast<u32>(all.x), most, most >= 0x7f800000u), bitcast<u32>(all.y));
  }
}
