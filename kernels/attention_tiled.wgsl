// Multi-head self-attention for GPUs: as attention.wgsl, in tiles of queries by 32 keys.
//
// Launch: grid(n, 1), 8 × HEIGHT invocations and ROWS · HEIGHT queries of a head per workgroup.

@group(0) @binding(2) var<storage, read_write> out: array<out_real>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

// Per own query: the largest score so far, Σ of the invocation's weights by it, and the factor that a new one makes.
var<private> top: array<f32, 8>;
var<private> total: array<f32, 8>;
var<private> shrink: array<f32, 8>;
// Vec4s x, x + 8, x + 16, x + 24 of the own queries' outputs.
var<private> sum0: array<vec4f, 8>;
var<private> sum1: array<vec4f, 8>;
var<private> sum2: array<vec4f, 8>;
var<private> sum3: array<vec4f, 8>;

const LEAST = -3.4028234e38;

fn share_top(here: Place, r: u32, live: vec4<bool>) {
  block[r] = select(vec4f(LEAST), block[r], live);
  shares[share_at(r, here.x, here.row)] = max(max(block[r].x, block[r].y), max(block[r].z, block[r].w));
}

// What the scores of a row become: its weights, by the row's new maximum.
fn weigh(here: Place, r: u32, live: vec4<bool>) {
  var most = top[r];
  for (var i = 0u; i < 8u; i++) { most = max(most, shares[share_at(r, i, here.row)]); }
  shrink[r] = exp(params.scale * (top[r] - most));
  top[r] = most;
  block[r] = select(vec4f(), exp(params.scale * (block[r] - most)), live);
  total[r] = total[r] * shrink[r] + (block[r].x + block[r].y + block[r].z + block[r].w);
}

// Turns scores into weights, laid where the own rows were.
fn weigh_all(here: Place, base: u32) {
  let live = vec4u(0u, 8u, 16u, 24u) + here.x + base < vec4u(params.tokens);
  share_top(here, 0u, live);
  share_top(here, 1u, live);
  share_top(here, 2u, live);
  share_top(here, 3u, live);
  if (ROWS > 4u) {
    share_top(here, 4u, live);
    share_top(here, 5u, live);
    share_top(here, 6u, live);
    share_top(here, 7u, live);
  }
  workgroupBarrier();
  weigh(here, 0u, live);
  weigh(here, 1u, live);
  weigh(here, 2u, live);
  weigh(here, 3u, live);
  if (ROWS > 4u) {
    weigh(here, 4u, live);
    weigh(here, 5u, live);
    weigh(here, 6u, live);
    weigh(here, 7u, live);
  }
  lay(here);
}

// block = block · shrink + weights · a chunk of the values from token `base` on; token 0 of theirs is at element `at`.
fn add_values(here: Place, at: u32, base: u32, chunk: u32) {
  block[0] *= shrink[0];
  block[1] *= shrink[1];
  block[2] *= shrink[2];
  block[3] *= shrink[3];
  if (ROWS > 4u) {
    block[4] *= shrink[4];
    block[5] *= shrink[5];
    block[6] *= shrink[6];
    block[7] *= shrink[7];
  }
  stage_other(here, false, at, 3u * params.dim, base, chunk);
  workgroupBarrier();
  sums(here);
  workgroupBarrier();
}

// Own query r.
fn finish(here: Place, r: u32) {
  let token = here.token + here.row + r;
  if (!here.live || token >= params.tokens) { return; }
  var sum = 0.0;
  for (var i = 0u; i < 8u; i++) { sum += shares[share_at(r, i, here.row)]; }
  let to = (here.first + token) * params.dim + here.head;
  if (here.x < blocks()) { put(to, here.x, sum0[r] / sum); }
  if (here.x + 8u < blocks()) { put(to, here.x + 8u, sum1[r] / sum); }
  if (here.x + 16u < blocks()) { put(to, here.x + 16u, sum2[r] / sum); }
  if (here.x + 24u < blocks()) { put(to, here.x + 24u, sum3[r] / sum); }
  if (here.x == 0u) { lse[here.sequence * params.tokens + token] = top[r] + log(sum) / params.scale; }
}

fn share_total(here: Place, r: u32) {
  shares[share_at(r, here.x, here.row)] = total[r];
}

@compute @workgroup_size(8, HEIGHT)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let here = place(wg.y * num.x + wg.x, local);
  let width = 3u * params.dim;
  let query = here.first * width + here.head;
  let key = query + params.dim;
  let value = key + params.dim;
  top = array<f32, 8>(LEAST, LEAST, LEAST, LEAST, LEAST, LEAST, LEAST, LEAST);
  for (var base = 0u; base < params.tokens; base += 32u) {
    all_scores(here, vec2<bool>(), vec2u(query, key), vec2u(width), base);
    weigh_all(here, base);
    block = sum0;
    add_values(here, value, base, 0u);
    sum0 = block;
    if (CHUNKS > 1u) {
      block = sum1;
      add_values(here, value, base, 1u);
      sum1 = block;
    }
    if (CHUNKS > 2u) {
      block = sum2;
      add_values(here, value, base, 2u);
      sum2 = block;
    }
    if (CHUNKS > 3u) {
      block = sum3;
      add_values(here, value, base, 3u);
      sum3 = block;
    }
  }
  share_total(here, 0u);
  share_total(here, 1u);
  share_total(here, 2u);
  share_total(here, 3u);
  if (ROWS > 4u) {
    share_total(here, 4u);
    share_total(here, 5u);
    share_total(here, 6u);
    share_total(here, 7u);
  }
  workgroupBarrier();
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
