// Factors of drop path (stochastic depth; Huang et al. 2016, arXiv:1603.09382): 0 with probability
// `rate`, else 1 / (1 − rate).
//
// scale [n]; the random number of element i is Philox4x32-10 (Salmon et al. 2011) at counter
// (a, stream, step, 0) under the key (seed): the same on every adapter. a is the element's place in the whole
// batch, i where that comes at once. Of several micro-batches this is number m = scalars[micro_batch_index]: elements
// are view-major, with `batch` pictures of each view in every one, so
// a = (i / batch · accumulation_steps + m) · batch + i % batch.
// scalars[STEP] holds the step as f32 (exact below 2^24), rewritten by the host each step.
// Launch: grid(n, 64).

struct Params { n: u32, stream: u32, seed_low: u32, seed_high: u32, step_index: u32, batch: u32, accumulation_steps: u32, micro_batch_index: u32, rate: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scalars: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;

// High and low 32 bits of a product.
fn mul(a: u32, b: u32) -> vec2u {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let low = al * bl;
  let mid = ah * bl + (low >> 16u);
  let mid2 = al * bh + (mid & 0xffffu);
  return vec2u(ah * bh + (mid >> 16u) + (mid2 >> 16u), a * b);
}

fn philox(start: vec4u, start_key: vec2u) -> vec4u {
  var c = start;
  var key = start_key;
  for (var round = 0u; round < 10u; round++) {
    let p = mul(0xd2511f53u, c.x);
    let q = mul(0xcd9e8d57u, c.z);
    c = vec4u(q.x ^ c.y ^ key.x, q.y, p.x ^ c.w ^ key.y, p.y);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let step = u32(scalars[params.step_index]);
  let steps = params.accumulation_steps;
  let micro_batch = select(0u, u32(scalars[params.micro_batch_index]), steps > 1u);
  let place = (i / params.batch * steps + micro_batch) * params.batch + i % params.batch;
  let bits = philox(vec4u(place, params.stream, step, 0u), vec2u(params.seed_low, params.seed_high)).x;
  let uniform_value = f32(bits >> 8u) * (1.0 / 16777216.0);
  scale[i] = select(1.0 / (1.0 - params.rate), 0.0, uniform_value < params.rate);
}
