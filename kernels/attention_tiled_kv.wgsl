// Gradient of attention with respect to keys and values, for GPUs: as attention_backward_kv.wgsl, in tiles of keys by 32
// queries.
//
// Launch: grid(n, 1), 8 × HEIGHT invocations and ROWS · HEIGHT keys of a head per workgroup. ROWS is 4.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;

// The scores under way, by own key, with four queries each; then their gradients.
var<private> score: array<vec4f, 8>;
// Vec4s x, x + 8, x + 16, x + 24 of the own keys' and values' gradients.
var<private> dk0: array<vec4f, 8>;
var<private> dk1: array<vec4f, 8>;
var<private> dk2: array<vec4f, 8>;
var<private> dk3: array<vec4f, 8>;
var<private> dv0: array<vec4f, 8>;
var<private> dv1: array<vec4f, 8>;
var<private> dv2: array<vec4f, 8>;
var<private> dv3: array<vec4f, 8>;

// What four queries left: log Σ exp and delta, and which of them exist.
struct Queries { log_sum: vec4f, delta: vec4f, live: vec4<bool> }

fn queries(here: Place, base: u32) -> Queries {
  let token = vec4u(0u, 8u, 16u, 24u) + here.x + base;
  let at = here.sequence * params.tokens + min(token, vec4u(params.tokens - 1u));
  return Queries(
    vec4f(lse[at.x], lse[at.y], lse[at.z], lse[at.w]),
    vec4f(delta[at.x], delta[at.y], delta[at.z], delta[at.w]),
    token < vec4u(params.tokens),
  );
}

// Of own key r: block = its weights for four queries, score = their gradients.
fn weigh(r: u32, four: Queries) {
  let p = select(vec4f(), exp(params.scale * (score[r] - four.log_sum)), four.live);
  score[r] = p * (block[r] - four.delta) * params.scale;
  block[r] = p;
}

// block += weights · a chunk of the queries from token `base` on, or of the gradients of their outputs.
fn add_queries(here: Place, second: bool, at: u32, stride: u32, base: u32, chunk: u32) {
  stage_other(here, second, at, stride, base, chunk);
  workgroupBarrier();
  sums(here);
  workgroupBarrier();
}

// Own key and value r.
fn finish(here: Place, r: u32) {
  let token = here.token + here.row + r;
  if (!here.live || token >= params.tokens) { return; }
  let key = ((here.first + token) * 3u + 1u) * params.dim + here.head;
  let value = key + params.dim;
  if (here.x < blocks()) {
    put(key, here.x, dk0[r]);
    put(value, here.x, dv0[r]);
  }
  if (here.x + 8u < blocks()) {
    put(key, here.x + 8u, dk1[r]);
    put(value, here.x + 8u, dv1[r]);
  }
  if (here.x + 16u < blocks()) {
    put(key, here.x + 16u, dk2[r]);
    put(value, here.x + 16u, dv2[r]);
  }
  if (here.x + 24u < blocks()) {
    put(key, here.x + 24u, dk3[r]);
    put(value, here.x + 24u, dv3[r]);
  }
}

@compute @workgroup_size(8, HEIGHT)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let here = place(wg.y * num.x + wg.x, local);
  let width = 3u * params.dim;
  let query = here.first * width + here.head;
  let key = query + params.dim;
  let value = key + params.dim;
  let grad = here.first * params.dim + here.head;
  for (var base = 0u; base < params.tokens; base += 32u) {
    all_scores(here, vec2<bool>(), vec2u(key, query), vec2u(width), base);
    score = block;
    all_scores(here, vec2<bool>(false, true), vec2u(value, grad), vec2u(width, params.dim), base);
    let four = queries(here, base);
    weigh(0u, four);
    weigh(1u, four);
    weigh(2u, four);
    weigh(3u, four);
    workgroupBarrier();
    lay(here);
    block = dv0;
    add_queries(here, true, grad, params.dim, base, 0u);
    dv0 = block;
    if (CHUNKS > 1u) {
      block = dv1;
      add_queries(here, true, grad, params.dim, base, 1u);
      dv1 = block;
    }
    if (CHUNKS > 2u) {
      block = dv2;
      add_queries(here, true, grad, params.dim, base, 2u);
      dv2 = block;
    }
    if (CHUNKS > 3u) {
      block = dv3;
      add_queries(here, true, grad, params.dim, base, 3u);
      dv3 = block;
    }
    block = score;
    lay(here);
    block = dk0;
    add_queries(here, false, query, width, base, 0u);
    dk0 = block;
    if (CHUNKS > 1u) {
      block = dk1;
      add_queries(here, false, query, width, base, 1u);
      dk1 = block;
    }
    if (CHUNKS > 2u) {
      block = dk2;
      add_queries(here, false, query, width, base, 2u);
      dk2 = block;
    }
    if (CHUNKS > 3u) {
      block = dk3;
      add_queries(here, false, query, width, base, 3u);
      dk3 = block;
    }
  }
  finish(here, 0u);
  finish(here, 1u);
  finish(here, 2u);
  finish(here, 3u);
}
