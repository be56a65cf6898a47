// An invocation's queries and what it has summed of the values; the softmax runs online (Milakov and Gimelshein 2018,
// arXiv:1805.02867).

var<private> q0: array<vec4f, 32>;
var<private> q1: array<vec4f, 32>;
var<private> q2: array<vec4f, 32>;
var<private> sum0: array<vec4f, 32>;
var<private> sum1: array<vec4f, 32>;
var<private> sum2: array<vec4f, 32>;
var<private> top: vec3f;
var<private> shrink: vec3f;
var<private> p: vec3f;
var<private> p2: vec3f;
var<private> total: vec3f;

// Vec4 c of keys (SCORE) or of values (SUM).
fn visit(what: u32, c: u32, x: vec4f, y: vec4f) {
  if (what == SCORE) {
    score.x += dot(q0[c], x);
    if (Q > 1u) { score.y += dot(q1[c], x); }
    if (Q > 2u) { score.z += dot(q2[c], x); }
    if (TWO) {
      score2.x += dot(q0[c], y);
      if (Q > 1u) { score2.y += dot(q1[c], y); }
      if (Q > 2u) { score2.z += dot(q2[c], y); }
    }
  } else {
    sum0[c] = sum0[c] * shrink.x + p.x * x;
    if (Q > 1u) { sum1[c] = sum1[c] * shrink.y + p.y * x; }
    if (Q > 2u) { sum2[c] = sum2[c] * shrink.z + p.z * x; }
    if (TWO) {
      sum0[c] += p2.x * y;
      if (Q > 1u) { sum1[c] += p2.y * y; }
      if (Q > 2u) { sum2[c] += p2.z * y; }
    }
  }
}

fn shift_one(what: u32, c: u32) {
  if (what == INPUT) {
    q0[c] = q0[c + 4u];
    if (Q > 1u) { q1[c] = q1[c + 4u]; }
    if (Q > 2u) { q2[c] = q2[c + 4u]; }
  } else {
    sum0[c] = sum0[c + 4u];
    if (Q > 1u) { sum1[c] = sum1[c + 4u]; }
    if (Q > 2u) { sum2[c] = sum2[c + 4u]; }
  }
}

// The weights of keys from their scores.
fn weigh(second: bool) {
  var new_top = max(top, score);
  if (TWO) { new_top = max(new_top, score2); }
  shrink = exp(params.scale * (top - new_top));
  p = exp(params.scale * (score - new_top));
  top = new_top;
  total = total * shrink + p;
  if (TWO) {
    p2 = select(vec3f(), exp(params.scale * (score2 - new_top)), second);
    total += p2;
  }
}

fn store_lse(at: Place) {
  let query = at.sample * params.tokens + at.token;
  let logs = top + log(total) / params.scale;
  if (at.valid.x) { lse[query.x] = logs.x; }
  if (Q > 1u) { if (at.valid.y) { lse[query.y] = logs.y; } }
  if (Q > 2u) { if (at.valid.z) { lse[query.z] = logs.z; } }
}
