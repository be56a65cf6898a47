// The gradient of LayerScale's factors: sums of columns of a product, in the order of column_sum.
//
// h, dy [R, C] → out [chunks, C] = Σ over the chunk's rows of h · dy [+ the old out].
// VEC: C is a multiple of 4, and an invocation takes four columns; else one.
// Launch: 8 · LANES invocations, LANES of them per column (or four): ceil(C / 8) or ceil(C / 32) workgroups in x,
// chunks in y.

struct Params { rows: u32, cols: u32, chunk: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> h: array<h_vec4>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

override LANES: u32 = 1u;
override VEC: bool = false;
const BLOCK = 16u;
var<workgroup> partial: array<vec4f, 8u * LANES>;

fn product(i: u32) -> vec4f {
  if (VEC) { return vec4f(h[i / 4u]) * dy[i / 4u]; }
  return vec4f(f32(h[i / 4u][i % 4u]) * dy[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

@compute @workgroup_size(8, LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = select(1u, 4u, VEC);
  let col = (wg.x * 8u + local.x) * width;
  let first = wg.y * params.chunk;
  let end = min(first + params.chunk, params.rows);
  let start = min(col, params.cols - width);
  var sum = vec4f();
  for (var block = first + local.y * BLOCK; block < end; block += LANES * BLOCK) {
    var part = vec4f();
    for (var r = block; r < min(end, block + BLOCK); r++) { part += product(r * params.cols + start); }
    sum += part;
  }
  if (LANES > 1u) {
    partial[local.y * 8u + local.x] = sum;
    workgroupBarrier();
    sum = vec4f();
    for (var k = 0u; k < LANES; k++) { sum += partial[k * 8u + local.x]; }
  }
  if (local.y != 0u || col >= params.cols) { return; }
  let at = wg.y * params.cols + col;
  // Scalars, as a write of one component of a vec4 may touch the whole, and neighbours belong to other invocations.
  for (var k = 0u; k < width; k++) {
    if (params.accumulate != 0u) { out[at + k] += sum[k]; } else { out[at + k] = sum[k]; }
  }
}
