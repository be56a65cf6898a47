// Gradients of layer norm as in layer_norm_backward and layer_norm_weight_grad together, where LANES invocations hold a
// row in registers: x, dy and residual are read once. See shared/held_rows.wgsl.
//
// x, dy [R, D] → dx [R, D]; with WEIGHTS also dw [ceil(R / chunk), D] = Σ over a chunk of rows of dy · x̂ and db likewise
// = Σ dy, rows from first to last; column_sum finishes the job.
// Launch: 64 invocations, LANES of them per chunk: grid(ceil(R / chunk) · LANES, 64).

struct Params { rows: u32, dim: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dw: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> db: array<vec4f>;

override RESIDUAL: bool = false;
override WEIGHTS: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let lane = i % LANES;
  let chunk = i / LANES;
  let width = params.dim / 4u;
  let n = f32(params.dim);
  var w: array<vec4f, 4>;
  var sum_w: array<vec4f, 4>;
  var sum_b: array<vec4f, 4>;
  for (var k = 0u; k < PER; k++) {
    if (k * LANES + lane < width) { w[k] = weight[k * LANES + lane]; }
  }
  for (var j = 0u; j < params.chunk; j++) {
    // Beyond the last row all is 0, for everyone must reach the barriers.
    let live = chunk * params.chunk + j < params.rows;
    let row = min(chunk * params.chunk + j, params.rows - 1u);
    let base = row * width;
    let s = stats[row];
    var normed: array<vec4f, 4>;
    var g: array<vec4f, 4>;
    var sums = mat2x4f();
    for (var k = 0u; k < PER; k++) {
      let c = k * LANES + lane;
      if (live && c < width) {
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
    let means = over_lanes(sums[0], sums[1], local) / n;
    for (var k = 0u; k < PER; k++) {
      let c = k * LANES + lane;
      if (live && c < width) {
        var v = s.y * (g[k] - means.x - normed[k] * means.y);
        if (RESIDUAL) { v += residual[base + c]; }
        dx[base + c] = v;
      }
    }
  }
  if (WEIGHTS && chunk * params.chunk < params.rows) {
    for (var k = 0u; k < PER; k++) {
      let c = k * LANES + lane;
      if (c < width) {
        dw[chunk * width + c] = sum_w[k];
        db[chunk * width + c] = sum_b[k];
      }
    }
  }
}
