// The gradient of batch norm: with g = dy, where y > 0 if RELU, and x̂ = (x − mean) · rstd,
// out = weight · rstd · (g − (Σ g + x̂ · Σ g x̂) / R); if BATCH is false, weight · rstd · g.
//
// x, y, dy, out, passed [R, C]; stats [2, C] is mean and rstd; sums [2, C] is Σ g x̂ and Σ g. PASS: passed = g, the
// gradient of what was added before ReLU.
// VEC: C is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(R · ceil(width / 4), 64); shared/walk_rows.wgsl.

struct Params { rows: u32, width: u32, share: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> stats: array<vec4f>;
@group(0) @binding(5) var<storage, read> weight: array<vec4f>;
@group(0) @binding(6) var<storage, read> sums: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;
@group(0) @binding(8) var<storage, read_write> passed: array<f32>;
alias out_real = f32;

override VEC: bool = false;
override RELU: bool = false;
override BATCH: bool = false;
override PASS: bool = false;

fn element(row: u32, col: u32) {
  let at = row * params.width + col;
  let second = params.width + col;
  var g: vec4f; var live: vec4f; var v: vec4f; var middle: vec4f; var rstd: vec4f; var scale: vec4f;
  var product: vec4f; var sum: vec4f;
  if (VEC) {
    g = dy[at]; v = x[at]; middle = stats[col]; rstd = stats[second]; scale = weight[col];
    if (RELU) { live = y[at]; }
    if (BATCH) { product = sums[col]; sum = sums[second]; }
  } else {
    g = vec4f(dy[at / 4u][at % 4u]); v = vec4f(x[at / 4u][at % 4u]);
    middle = vec4f(stats[col / 4u][col % 4u]); rstd = vec4f(stats[second / 4u][second % 4u]);
    scale = vec4f(weight[col / 4u][col % 4u]);
    if (RELU) { live = vec4f(y[at / 4u][at % 4u]); }
    if (BATCH) {
      product = vec4f(sums[col / 4u][col % 4u]);
      sum = vec4f(sums[second / 4u][second % 4u]);
    }
  }
  if (RELU) { g = select(vec4f(), g, live > vec4f()); }
  var d = g;
  if (BATCH) { d -= (sum + (v - middle) * rstd * product) * params.share; }
  put(at, scale * rstd * d);
  if (PASS) {
    if (VEC) {
      for (var e = 0u; e < 4u; e++) { passed[4u * at + e] = g[e]; }
    } else {
      passed[at] = g.x;
    }
  }
}
