// Sums of columns in a fixed order: rows of a block of 16 start first to last, then the lane's blocks, then the lanes.
//
// x [R, stride], columns offset … offset + C − 1 → out [chunks, C] = scale · Σ over the chunk's rows
// [+ the old out]; sums of columns zero_from … zero_end − 1 are 0.
// PAIR: the same of x2 → out2, by a second layer of workgroups; accumulate is 1 for out, 2 for out2, 3 for both.
// VEC: C, stride, offset and the columns of zeros are multiples of 4, and an invocation takes four columns; else one.
// Launch: 8 · LANES invocations, LANES of them per column (or four): ceil(C / 8) or ceil(C / 32) workgroups in x,
// chunks in y, 2 in z if PAIR.

struct Params { rows: u32, cols: u32, stride: u32, offset: u32, chunk: u32, accumulate: u32, scale: f32, zero_from: u32, zero_end: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> x2: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> out2: array<f32>;

override LANES: u32 = 1u;
override VEC: bool = false;
override PAIR: bool = false;
const BLOCK = 16u;
var<workgroup> partial: array<vec4f, 8u * LANES>;

fn load(second: bool, i: u32) -> vec4f {
  if (PAIR && second) {
    if (VEC) { return x2[i / 4u]; }
    return vec4f(x2[i / 4u][i % 4u], 0.0, 0.0, 0.0);
  }
  if (VEC) { return x[i / 4u]; }
  return vec4f(x[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

// Scalars, as a write of one component of a vec4 may touch the whole, and neighbours belong to other invocations.
fn put_one(second: bool, add: bool, at: u32, v: f32) {
  if (PAIR && second) {
    out2[at] = select(v, v + out2[at], add);
  } else {
    out[at] = select(v, v + out[at], add);
  }
}

fn put(second: bool, add: bool, at: u32, v: vec4f) {
  put_one(second, add, at, v.x);
  if (VEC) {
    put_one(second, add, at + 1u, v.y);
    put_one(second, add, at + 2u, v.z);
    put_one(second, add, at + 3u, v.w);
  }
}

@compute @workgroup_size(8, LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = select(1u, 4u, VEC);
  let col = (wg.x * 8u + local.x) * width;
  let first = wg.y * params.chunk;
  let end = min(first + params.chunk, params.rows);
  let start = params.offset + min(col, params.cols - width);
  let second = wg.z == 1u;
  var sum = vec4f();
  for (var block = first + local.y * BLOCK; block < end; block += LANES * BLOCK) {
    var part = vec4f();
    if (block + BLOCK <= end) {
      for (var k = 0u; k < BLOCK; k++) { part += load(second, (block + k) * params.stride + start); }
    } else {
      for (var r = block; r < end; r++) { part += load(second, r * params.stride + start); }
    }
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
  sum *= params.scale;
  if (col >= params.zero_from && col < params.zero_end) { sum = vec4f(); }
  put(second, (params.accumulate & select(1u, 2u, second)) != 0u, at, sum);
}
