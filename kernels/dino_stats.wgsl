// Log-sum-exp and entropy of rows of logits, online: a row may come in chunks of columns, one dispatch each.
//
// x [R, C], center [C] → state [R] = (max z, log Σ exp(z − max), Σ exp(z − max), Σ exp(z − max) (max − z)) and
// entropy [R] of softmax(z) in nats, z = (x − center) / temp (Caron et al. 2021, arXiv:2104.14294, eq. 1 and
// section 3.1). Unless params.first, what state holds of the columns before is merged in (Milakov and
// Gimelshein 2018, arXiv:1805.02867). Entropy = Σ exp(z − max) (max − z) / Σ exp(z − max) + log Σ exp(z − max):
// every term ≥ 0, so it never turns negative. A logit that is not finite makes log Σ and the
// entropy NaN; both outputs are stored as the bits of floats (bits.wgsl).
// scalars[temp_index] = temp; CENTERED false takes z = x / temp.
// VEC: C is a multiple of 4, and rows are walked in vec4s.
// Launch: GROUP invocations, LANES of them per row: grid(R · LANES, GROUP).

struct Params { rows: u32, dim: u32, temp_index: u32, first: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> center: array<vec4f>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> entropy: array<u32>;

override CENTERED: bool = true;

// An element, four times, or four elements.
fn load_x(i: u32) -> vec4f {
  if (VEC) { return x[i]; }
  return vec4f(x[i / 4u][i % 4u]);
}

// Far enough below the maximum for exp to be 0, and finite, where a difference would overflow.
const FAR = 1e9;

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * GROUP + local;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let width = select(params.dim, params.dim / 4u, VEC);
  let base = row * width;
  let temp = scalars[params.temp_index];
  var tops = vec4f(-3.4028234e38);
  var odds = vec4u();
  for (var k = lane; k < width; k += LANES) {
    var v = load_x(base + k);
    odds |= odd(bitcast<vec4u>(v));
    if (CENTERED) { v -= load_center(k); }
    tops = max(tops, v / temp);
  }
  var top = combine(max(max(tops.x, tops.y), max(tops.z, tops.w)), local, true);
  var broken = combine(f32(odds.x | odds.y | odds.z | odds.w), local, true) != 0.0;
  var sums = vec4f();
  var belows = vec4f();
  for (var k = lane; k < width; k += LANES) {
    var v = load_x(base + k);
    if (CENTERED) { v -= load_center(k); }
    let z = max(v / temp - top, vec4f(-FAR));
    let e = exp(z);
    sums += e;
    belows -= e * z;
  }
  var sum = combine(add(sums), local, false);
  var below = combine(add(belows), local, false);
  if (lane != 0u || i / LANES >= params.rows) { return; }
  if (params.first == 0u) {
    let old = bitcast<vec4f>(state[row]);
    broken |= is_odd(state[row].y);
    let high = max(old.x, top);
    let was = min(high - old.x, FAR);
    let now = min(high - top, FAR);
    below = (old.w + old.z * was) * exp(-was) + (below + sum * now) * exp(-now);
    sum = old.z * exp(-was) + sum * exp(-now);
    top = high;
  }
  let lse = log(sum);
  state[row] = vec4u(bitcast<u32>(top), bits_or_nan(lse, broken), bitcast<u32>(sum), bitcast<u32>(below));
  entropy[row] = bits_or_nan(below / sum + lse, broken);
}
