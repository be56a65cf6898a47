// An invocation's queries q, the gradients g of their outputs, and what it has summed of their own gradients.

var<private> q0: array<vec4f, 32>;
var<private> q1: array<vec4f, 32>;
var<private> q2: array<vec4f, 32>;
var<private> g0: array<vec4f, 32>;
var<private> g1: array<vec4f, 32>;
var<private> g2: array<vec4f, 32>;
var<private> dq0: array<vec4f, 32>;
var<private> dq1: array<vec4f, 32>;
var<private> dq2: array<vec4f, 32>;
var<private> dp: vec3f;
var<private> dp2: vec3f;
var<private> ds: vec3f;
var<private> ds2: vec3f;
var<private> total: vec3f;

// Vec4 c of keys (SCORE, SUM) or of values (DP).
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
  } else if (what == DP) {
    dp.x += dot(g0[c], x);
    if (Q > 1u) { dp.y += dot(g1[c], x); }
    if (Q > 2u) { dp.z += dot(g2[c], x); }
    if (TWO) {
      dp2.x += dot(g0[c], y);
      if (Q > 1u) { dp2.y += dot(g1[c], y); }
      if (Q > 2u) { dp2.z += dot(g2[c], y); }
    }
  } else {
    dq0[c] += ds.x * x;
    if (Q > 1u) { dq1[c] += ds.y * x; }
    if (Q > 2u) { dq2[c] += ds.z * x; }
    if (TWO) {
      dq0[c] += ds2.x * y;
      if (Q > 1u) { dq1[c] += ds2.y * y; }
      if (Q > 2u) { dq2[c] += ds2.z * y; }
    }
  }
}

fn shift_one(what: u32, c: u32) {
  if (what == INPUT) {
    q0[c] = q0[c + 4u];
    g0[c] = g0[c + 4u];
    if (Q > 1u) {
      q1[c] = q1[c + 4u];
      g1[c] = g1[c + 4u];
    }
    if (Q > 2u) {
      q2[c] = q2[c + 4u];
      g2[c] = g2[c + 4u];
    }
  } else {
    dq0[c] = dq0[c + 4u];
    if (Q > 1u) { dq1[c] = dq1[c + 4u]; }
    if (Q > 2u) { dq2[c] = dq2[c + 4u]; }
  }
}

fn store_delta(at: Place) {
  let query = at.sample * params.tokens + at.token;
  if (at.valid.x) { delta[query.x] = total.x; }
  if (Q > 1u) { if (at.valid.y) { delta[query.y] = total.y; } }
  if (Q > 2u) { if (at.valid.z) { delta[query.z] = total.z; } }
}

// The gradients of the own queries' scores.
fn weigh(logs: vec3f, second: bool) {
  ds = exp(params.scale * (score - logs)) * (dp - total) * params.scale;
  if (TWO) {
    let p2 = select(vec3f(), exp(params.scale * (score2 - logs)), second);
    ds2 = p2 * (dp2 - total) * params.scale;
  }
}

fn logs_of(at: Place) -> vec3f {
  let query = at.sample * params.tokens + at.token;
  return vec3f(lse[query.x], lse[query.y], lse[query.z]);
}
