// Sums of the gradients of layer norm's weight and bias, in the order of column_sum.
//
// x, dy [R, D], stats [R, 2] → dw [chunks, D] = Σ over the chunk's rows of dy · (x − mean) · rstd, db [chunks, D] =
// Σ dy [+ what they hold: accumulate is 1 for dw, 2 for db, 3 for both]. Of several chunks column_sum makes one.
// VEC: D is a multiple of 4, and an invocation takes four columns; else one.
// Launch: 8 · LANES invocations, LANES of them per column (or four): ceil(D / 8) or ceil(D / 32) workgroups in x,
// chunks in y.

struct Params { rows: u32, dim: u32, chunk: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;
@group(0) @binding(5) var<storage, read_write> db: array<f32>;

override LANES: u32 = 1u;
override VEC: bool = false;
const BLOCK = 16u;
var<workgroup> partial: array<mat2x4f, 8u * LANES>;

// (dy · x̂, dy) of an element, or four.
fn terms(row: u32, i: u32) -> mat2x4f {
  let s = stats[row];
  if (VEC) {
    let g = dy[i / 4u];
    return mat2x4f(g * (vec4f(x[i / 4u]) - s.x) * s.y, g);
  }
  let g = dy[i / 4u][i % 4u];
  return mat2x4f(vec4f(g * (f32(x[i / 4u][i % 4u]) - s.x) * s.y, 0.0, 0.0, 0.0), vec4f(g, 0.0, 0.0, 0.0));
}

fn old_dw(at: u32) -> vec4f {
  if (VEC) { return vec4f(dw[at], dw[at + 1u], dw[at + 2u], dw[at + 3u]); }
  return vec4f(dw[at], 0.0, 0.0, 0.0);
}

fn old_db(at: u32) -> vec4f {
  if (VEC) { return vec4f(db[at], db[at + 1u], db[at + 2u], db[at + 3u]); }
  return vec4f(db[at], 0.0, 0.0, 0.0);
}

// Scalars, as a write of one component of a vec4 may touch the whole, and neighbours belong to other invocations.
fn put(at: u32, w: vec4f, b: vec4f) {
  if (VEC) {
    dw[at] = w.x;
    dw[at + 1u] = w.y;
    dw[at + 2u] = w.z;
    dw[at + 3u] = w.w;
    db[at] = b.x;
    db[at + 1u] = b.y;
    db[at + 2u] = b.z;
    db[at + 3u] = b.w;
  } else {
    dw[at] = w.x;
    db[at] = b.x;
  }
}

@compute @workgroup_size(8, LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = select(1u, 4u, VEC);
  let col = (wg.x * 8u + local.x) * width;
  let first = wg.y * params.chunk;
  let end = min(first + params.chunk, params.rows);
  let start = min(col, params.dim - width);
  var sums = mat2x4f();
  for (var block = first + local.y * BLOCK; block < end; block += LANES * BLOCK) {
    var part = mat2x4f();
    if (block + BLOCK <= end) {
      for (var k = 0u; k < BLOCK; k++) { part += terms(block + k, (block + k) * params.dim + start); }
    } else {
      for (var r = block; r < end; r++) { part += terms(r, r * params.dim + start); }
    }
    sums += part;
  }
  if (LANES > 1u) {
    partial[local.y * 8u + local.x] = sums;
    workgroupBarrier();
    sums = mat2x4f();
    for (var k = 0u; k < LANES; k++) { sums += partial[k * 8u + local.x]; }
  }
  if (local.y != 0u || col >= params.dim) { return; }
  let at = wg.y * params.dim + col;
  if ((params.accumulate & 1u) != 0u) { sums[0] += old_dw(at); }
  if ((params.accumulate & 2u) != 0u) { sums[1] += old_db(at); }
  put(at, sums[0], sums[1]);
}
