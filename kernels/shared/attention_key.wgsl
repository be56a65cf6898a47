// An invocation's keys k and values v, and what it has summed of their gradients.

var<private> k0: array<vec4f, 32>;
var<private> k1: array<vec4f, 32>;
var<private> k2: array<vec4f, 32>;
var<private> v0: array<vec4f, 32>;
var<private> v1: array<vec4f, 32>;
var<private> v2: array<vec4f, 32>;
var<private> dk0: array<vec4f, 32>;
var<private> dk1: array<vec4f, 32>;
var<private> dk2: array<vec4f, 32>;
var<private> dv0: array<vec4f, 32>;
var<private> dv1: array<vec4f, 32>;
var<private> dv2: array<vec4f, 32>;
var<private> dp: vec3f;
var<private> dp2: vec3f;
var<private> ds: vec3f;
var<private> ds2: vec3f;
var<private> p: vec3f;
var<private> p2: vec3f;

// Vec4 c of queries (SCORE, SUM) or of the gradients of their outputs (DP, SECOND_SUM).
fn visit(what: u32, c: u32, x: vec4f, y: vec4f) {
  if (what == SCORE) {
    score.x += dot(k0[c], x);
    if (Q > 1u) { score.y += dot(k1[c], x); }
    if (Q > 2u) { score.z += dot(k2[c], x); }
    if (TWO) {
      score2.x += dot(k0[c], y);
      if (Q > 1u) { score2.y += dot(k1[c], y); }
      if (Q > 2u) { score2.z += dot(k2[c], y); }
    }
  } else if (what == DP) {
    dp.x += dot(v0[c], x);
    if (Q > 1u) { dp.y += dot(v1[c], x); }
    if (Q > 2u) { dp.z += dot(v2[c], x); }
    if (TWO) {
      dp2.x += dot(v0[c], y);
      if (Q > 1u) { dp2.y += dot(v1[c], y); }
      if (Q > 2u) { dp2.z += dot(v2[c], y); }
    }
  } else if (what == SUM) {
    dk0[c] += ds.x * x;
    if (Q > 1u) { dk1[c] += ds.y * x; }
    if (Q > 2u) { dk2[c] += ds.z * x; }
    if (TWO) {
      dk0[c] += ds2.x * y;
      if (Q > 1u) { dk1[c] += ds2.y * y; }
      if (Q > 2u) { dk2[c] += ds2.z * y; }
    }
  } else {
    dv0[c] += p.x * x;
    if (Q > 1u) { dv1[c] += p.y * x; }
    if (Q > 2u) { dv2[c] += p.z * x; }
    if (TWO) {
      dv0[c] += p2.x * y;
      if (Q > 1u) { dv1[c] += p2.y * y; }
      if (Q > 2u) { dv2[c] += p2.z * y; }
    }
  }
}

fn shift_one(what: u32, c: u32) {
  if (what == INPUT) {
    k0[c] = k0[c + 4u];
    v0[c] = v0[c + 4u];
    if (Q > 1u) {
      k1[c] = k1[c + 4u];
      v1[c] = v1[c + 4u];
    }
    if (Q > 2u) {
      k2[c] = k2[c + 4u];
      v2[c] = v2[c + 4u];
    }
  } else {
    dk0[c] = dk0[c + 4u];
    dv0[c] = dv0[c + 4u];
    if (Q > 1u) {
      dk1[c] = dk1[c + 4u];
      dv1[c] = dv1[c + 4u];
    }
    if (Q > 2u) {
      dk2[c] = dk2[c + 4u];
      dv2[c] = dv2[c + 4u];
    }
  }
}

// Weights of the own keys for queries, from their scores, and the gradients of these; x of the first query, y of the
// second.
fn weigh(logs: vec2f, totals: vec2f, second: bool) {
  p = exp(params.scale * (score - logs.x));
  ds = p * (dp - totals.x) * params.scale;
  if (TWO) {
    p2 = select(vec3f(), exp(params.scale * (score2 - logs.y)), second);
    ds2 = p2 * (dp2 - totals.y) * params.scale;
  }
}
