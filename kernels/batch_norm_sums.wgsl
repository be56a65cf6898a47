// Sums over the rows of a chunk that batch norm needs, x [R, C]: for its variance, or for its gradients.
//
// BACK false: with t = x − mean[c], out [chunk, 0, c] = Σ t², out [chunk, 1, c] = Σ t, so that a rounded mean is set
// right and a large one does no harm.
// BACK true: with g = dy, where y > 0 if RELU, out [chunk, 0, c] = Σ g · (x − mean) · rstd, out [chunk, 1, c] = Σ g;
// mean [2, C] is then followed by rstd.
// Rows of a block of 16 are summed first to last, then the lane's blocks, then the lanes: a fixed order.
// VEC: C is a multiple of 4, and an invocation takes four columns; else one.
// Launch: 8 · LANES invocations, LANES of them per column (or four): ceil(C / 8) or ceil(C / 32) workgroups in x,
// chunks in y.

struct Params { rows: u32, cols: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> mean: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> y: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

override LANES: u32 = 1u;
override VEC: bool = false;
override BACK: bool = false;
override RELU: bool = false;
const BLOCK = 16u;
var<workgroup> first_sums: array<vec4f, 8u * LANES>;
var<workgroup> second_sums: array<vec4f, 8u * LANES>;

fn load_mean(i: u32) -> vec4f {
  if (VEC) { return mean[i / 4u]; }
  return vec4f(mean[i / 4u][i % 4u]);
}

fn load_x(i: u32) -> vec4f {
  if (VEC) { return x[i / 4u]; }
  return vec4f(x[i / 4u][i % 4u]);
}

fn load_dy(i: u32) -> vec4f {
  var g: vec4f;
  if (VEC) { g = dy[i / 4u]; } else { g = vec4f(dy[i / 4u][i % 4u]); }
  if (RELU) {
    var live: vec4f;
    if (VEC) { live = y[i / 4u]; } else { live = vec4f(y[i / 4u][i % 4u]); }
    g = select(vec4f(), g, live > vec4f());
  }
  return g;
}

@compute @workgroup_size(8, LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = select(1u, 4u, VEC);
  let col = (wg.x * 8u + local.x) * width;
  let start = wg.y * params.chunk;
  let end = min(start + params.chunk, params.rows);
  let own = min(col, params.cols - width);
  let middle = load_mean(own);
  var rstd = vec4f(1.0);
  if (BACK) { rstd = load_mean(params.cols + own); }
  var first = vec4f();
  var second = vec4f();
  for (var block = start + local.y * BLOCK; block < end; block += LANES * BLOCK) {
    var a = vec4f();
    var b = vec4f();
    for (var r = block; r < min(block + BLOCK, end); r++) {
      let t = load_x(r * params.cols + own) - middle;
      if (BACK) {
        let g = load_dy(r * params.cols + own);
        a += g * (t * rstd);
        b += g;
      } else {
        a += t * t;
        b += t;
      }
    }
    first += a;
    second += b;
  }
  if (LANES > 1u) {
    first_sums[local.y * 8u + local.x] = first;
    second_sums[local.y * 8u + local.x] = second;
    workgroupBarrier();
    first = vec4f();
    second = vec4f();
    for (var k = 0u; k < LANES; k++) {
      first += first_sums[k * 8u + local.x];
      second += second_sums[k * 8u + local.x];
    }
  }
  if (local.y != 0u || col >= params.cols) { return; }
  let at = 2u * wg.y * params.cols + col;
  for (var i = 0u; i < width; i++) {
    out[at + i] = first[i];
    out[at + params.cols + i] = second[i];
  }
}
