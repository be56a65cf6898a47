// InfoNCE's terms (van den Oord et al. 2018, arXiv:1807.03748, eq. 4), and its gradient in place of the similarities.
//
// out [R, G, B]: similarities of queries first … first + R − 1, view-major (B samples of view 0, then of view 1, …),
// with the keys of the G global views. A query of sample b and view j meets the B keys y of every global view i ≠ j;
// with s_c = scale · out_c and p = softmax(s) over them,
//   terms [3, G, V · B] at (i, row) = −log p_b; 1 where key b is the nearest, of equals the first; Σ p_c s_c − s_b
//   out = factor · scale · (p_c − [c = b])
// and all are 0 where i = j. Sums leave out c = b, for which everything is 0 or is what the others leave: so no term
// is negative, and none cancels. A similarity that is not finite makes the first term NaN; terms
// are floats by their bits (bits.wgsl).
// scale is exp(min(log_scale[0], most)) if LEARNED, else params.scale.
// VEC: B is a multiple of 4, and keys are walked in fours.
// Launch: GROUP invocations, LANES of them per query and view: grid(R · G · LANES, GROUP).

struct Params { items: u32, batch: u32, globals: u32, views: u32, first: u32, scale: f32, most: f32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> log_scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> terms: array<u32>;
alias out_real = f32;

override LEARNED: bool = false;

// Far enough below the maximum for exp to be 0, and finite, where a product would overflow.
const FAR = 1e9;

// An element, four times, or four elements, and which they are.
fn load(base: u32, k: u32) -> vec4f {
  if (!VEC) { return vec4f(out[base + k]); }
  let at = base + 4u * k;
  return vec4f(out[at], out[at + 1u], out[at + 2u], out[at + 3u]);
}

fn place(k: u32) -> vec4u {
  if (VEC) { return 4u * k + vec4u(0u, 1u, 2u, 3u); }
  return vec4u(k);
}

// log(1 + x) for x ≥ 0, exact for small x too: 2 artanh(x / (2 + x)).
fn log_1p(x: f32) -> f32 {
  let t = x / (2.0 + x);
  let u = t * t;
  let series = 2.0 * t * (1.0 + u * (1.0 / 3.0 + u * (1.0 / 5.0 + u * (1.0 / 7.0 + u * (1.0 / 9.0)))));
  return select(log(1.0 + x), series, x <= 0.5);
}

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * GROUP + local;
  let live = i / LANES < params.items;
  let item = min(i / LANES, params.items - 1u);
  let lane = i % LANES;
  let key_view = item % params.globals;
  let row = params.first + item / params.globals;
  let same = row / params.batch == key_view;
  let label = row % params.batch;
  let base = item * params.batch;
  let width = select(params.batch, params.batch / 4u, VEC);
  let used = select(width, 0u, same);
  var scale = params.scale;
  var odds = vec4u();
  if (LEARNED) {
    let given = log_scale[0];
    odds = odd(vec4u(bitcast<u32>(given)));
    scale = exp(min(given, params.most));
  }

  let positive = out[base + label];
  var tops = vec4f(positive);
  var nearer = vec4u();
  for (var k = lane; k < used; k += LANES) {
    let v = load(base, k);
    odds |= odd(bitcast<vec4u>(v));
    tops = max(tops, v);
    let before = (v > vec4f(positive)) | ((v == vec4f(positive)) & (place(k) < vec4u(label)));
    nearer |= select(vec4u(), vec4u(1u), before);
  }
  let top = combine(max(max(tops.x, tops.y), max(tops.z, tops.w)), local, true);
  let beaten = combine(f32(nearer.x | nearer.y | nearer.z | nearer.w), local, true);
  let broken = combine(f32(odds.x | odds.y | odds.z | odds.w), local, true) != 0.0;

  var others = vec4f();
  var slopes = vec4f();
  for (var k = lane; k < used; k += LANES) {
    let v = load(base, k);
    let e = select(exp(max((v - top) * scale, vec4f(-FAR))), vec4f(), place(k) == vec4u(label));
    others += e;
    slopes += e * (v - positive);
  }
  let rest = combine(add(others), local, false);
  let slope = combine(add(slopes), local, false);
  let below = (top - positive) * scale;
  let sum = rest + exp(-min(below, FAR));

  // Other lanes have read the positive, which one of them is about to replace.
  if (LANES > 1u) { storageBarrier(); }
  let factor = params.factor * scale;
  for (var k = lane; k < width; k += LANES) {
    if (!live) { break; }
    let e = exp(max((load(base, k) - top) * scale, vec4f(-FAR)));
    let grad = factor * select(e, vec4f(0.0 - rest), place(k) == vec4u(label)) / sum;
    put(select(base, base / 4u, VEC) + k, select(grad, vec4f(), same));
  }
  if (!live || lane != 0u) { return; }
  let at = key_view * params.views * params.batch + row;
  let stride = params.globals * params.views * params.batch;
  var loss = log_1p(rest);
  if (below != 0.0) { loss = below + log(sum); }
  terms[at] = bits_or_nan(select(loss, 0.0, same), broken && !same);
  terms[stride + at] = bitcast<u32>(select(1.0 - beaten, 0.0, same));
  terms[2u * stride + at] = bitcast<u32>(select(scale * slope / sum, 0.0, same));
}
