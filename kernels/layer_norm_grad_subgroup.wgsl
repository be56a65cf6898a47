// Gradients of layer norm as in layer_norm_backward and layer_norm_weight_grad together, where eight lanes hold a
// row in registers: x, dy and residual are read once.
//
// x, dy [R, D] → dx [R, D]; with WEIGHTS also dw [ceil(R / 32), D] = Σ over 32 rows of dy · x̂ and db likewise = Σ dy,
// rows from first to last; column_sum finishes the job.
// D is a multiple of 4, at most 32 · PER, PER ≤ 16 vec4s per lane; WHOLE: it is 32 · PER, and no lane is idle.
// Sums over a row run over a lane's vec4s in order, then over their components, then over the lanes.
// Launch: 8 invocations, in one subgroup of at least 8 lanes, for 32 rows: grid(R, 32).

struct Params { rows: u32, dim: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dw: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> db: array<vec4f>;

override PER: u32 = 1u;
override WHOLE: bool = false;
override RESIDUAL: bool = false;
override WEIGHTS: bool = false;
const ROWS = 32u;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let width = params.dim / 4u;
  let n = f32(params.dim);
  var w: array<vec4f, 16>;
  var sum_w: array<vec4f, 16>;
  var sum_b: array<vec4f, 16>;
  for (var k = 0u; k < PER; k++) {
    let c = k * 8u + lane;
    if (WHOLE || c < width) { w[k] = weight[c]; }
    if (WEIGHTS) {
      sum_w[k] = vec4f();
      sum_b[k] = vec4f();
    }
  }
  let chunk = wg.y * num.x + wg.x;
  for (var row = chunk * ROWS; row < min(chunk * ROWS + ROWS, params.rows); row++) {
    let base = row * width;
    let s = stats[row];
    var normed: array<vec4f, 16>;
    var g: array<vec4f, 16>;
    var sums = mat2x4f();
    for (var k = 0u; k < PER; k++) {
      let c = k * 8u + lane;
      if (WHOLE || c < width) {
        let d = dy[base + c];
        normed[k] = (vec4f(x[base + c]) - s.x) * s.y;
        g[k] = d * w[k];
        sums[0] += g[k];
        sums[1] += g[k] * normed[k];
        if (WEIGHTS) {
          sum_w[k] += d * normed[k];
          sum_b[k] += d;
        }
      }
    }
    let mean = total(sums[0]) / n;
    let along = total(sums[1]) / n;
    for (var k = 0u; k < PER; k++) {
      let c = k * 8u + lane;
      if (WHOLE || c < width) {
        var v = s.y * (g[k] - mean - normed[k] * along);
        if (RESIDUAL) { v += residual[base + c]; }
        dx[base + c] = v;
      }
    }
  }
  if (WEIGHTS && chunk * ROWS < params.rows) {
    for (var k = 0u; k < PER; k++) {
      let c = k * 8u + lane;
      if (WHOLE || c < width) {
        dw[chunk * width + c] = sum_w[k];
        db[chunk * width + c] = sum_b[k];
      }
    }
  }
}
