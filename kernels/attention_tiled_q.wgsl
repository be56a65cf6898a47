// Gradient of attention with respect to the queries, for GPUs: as attention_backward_q.wgsl, in tiles of queries by 32
// keys.
//
// Launch: grid(n, 1), 8 × HEIGHT invocations and ROWS · HEIGHT queries of a head per workgroup.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> out: array<out_vec4>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;

// Per own query: log Σ exp and delta; the scores under way.
var<private> log_sum: array<f32, 8>;
var<private> total: array<f32, 8>;
var<private> score: array<vec4f, 8>;
// Vec4s x, x + 8, x + 16, x + 24 of the own queries' gradients.
var<private> dq0: array<vec4f, 8>;
var<private> dq1: array<vec4f, 8>;
var<private> dq2: array<vec4f, 8>;
var<private> dq3: array<vec4f, 8>;

// The invocation's part of Σ dout · out of own query r.
fn share_delta(here: Place, r: u32) {
  let row = here.first + min(here.token + here.row + r, params.tokens - 1u);
  let at = row * params.dim + here.head;
  var sum = 0.0;
  for (var c = here.x; c < blocks(); c += 8u) { sum += dot(dout4(at, c), out4(at, c)); }
  shares[share_at(r, here.x, here.row)] = sum;
}

fn take_delta(here: Place, r: u32) {
  let token = here.token + here.row + r;
  let at = here.sequence * params.tokens + min(token, params.tokens - 1u);
  for (var i = 0u; i < 8u; i++) { total[r] += shares[share_at(r, i, here.row)]; }
  log_sum[r] = lse[at];
  if (here.live && token < params.tokens && here.x == 0u) { delta[at] = total[r]; }
}

// The gradients of the scores of own query r, from block: dout · values.
fn slope(r: u32, live: vec4<bool>) {
  let p = exp(params.scale * (score[r] - log_sum[r]));
  block[r] = select(vec4f(), p * (block[r] - total[r]) * params.scale, live);
}

// block += gradients of the scores · a chunk of the keys from token `base` on; token 0 of theirs is at element `at`.
fn add_keys(here: Place, at: u32, base: u32, chunk: u32) {
  stage_other(here, false, at, 3u * params.dim, base, chunk);
  workgroupBarrier();
  sums(here);
  workgroupBarrier();
}

// Own query r.
fn finish(here: Place, r: u32) {
  let token = here.token + here.row + r;
  if (!here.live || token >= params.tokens) { return; }
  let to = (here.first + token) * 3u * params.dim + here.head;
  if (here.x < blocks()) { put(to, here.x, dq0[r]); }
  if (here.x + 8u < blocks()) { put(to, here.x + 8u, dq1[r]); }
  if (here.x + 16u < blocks()) { put(to, here.x + 16u, dq2[r]); }
  if (here.x + 24u < blocks()) { put(to, here.x + 24u, dq3[r]); }
}

@compute @workgroup_size(8, HEIGHT)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let here = place(wg.y * num.x + wg.x, local);
  let width = 3u * params.dim;
  let query = here.first * width + here.head;
  let key = query + params.dim;
  let value = key + params.dim;
  let grad = here.first * params.dim + here.head;
  for (var r = 0u; r < ROWS; r++) { share_delta(here, r); }
  workgroupBarrier();
  take_delta(here, 0u);
  take_delta(here, 1u);
  take_delta(here, 2u);
  take_delta(here, 3u);
  if (ROWS > 4u) {
    take_delta(here, 4u);
    take_delta(here, 5u);
    take_delta(here, 6u);
    take_delta(here, 7u);
  }
  for (var base = 0u; base < params.tokens; base += 32u) {
    all_scores(here, vec2<bool>(), vec2u(query, key), vec2u(width), base);
    score = block;
    all_scores(here, vec2<bool>(true, false), vec2u(grad, value), vec2u(params.dim, width), base);
    let live = vec4u(0u, 8u, 16u, 24u) + here.x + base < vec4u(params.tokens);
    slope(0u, live);
    slope(1u, live);
    slope(2u, live);
    slope(3u, live);
    if (ROWS > 4u) {
      slope(4u, live);
      slope(5u, live);
      slope(6u, live);
      slope(7u, live);
    }
    workgroupBarrier();
    lay(here);
    block = dq0;
    add_keys(here, key, base, 0u);
    dq0 = block;
    if (CHUNKS > 1u) {
      block = dq1;
      add_keys(here, key, base, 1u);
      dq1 = block;
    }
    if (CHUNKS > 2u) {
      block = dq2;
      add_keys(here, key, base, 2u);
      dq2 = block;
    }
    if (CHUNKS > 3u) {
      block = dq3;
      add_keys(here, key, base, 3u);
      dq3 = block;
    }
  }
  finish(here, 0u);
  finish(here, 1u);
  finish(here, 2u);
  finish(here, 3u);
  if (ROWS > 4u) {
    finish(here, 4u);
    finish(here, 5u);
    finish(here, 6u);
    finish(here, 7u);
  }
}
