// Moves every `stride`-th row between two matrices of D columns.
//
// SCATTER false: dst row (first + r) = src row (r · stride), r < rows; other rows of dst stay.
// SCATTER true: dst row (r · stride) = src row (first + r); all other rows of dst become 0.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(n · ceil(width / 4), 64), n = rows, or rows · stride with SCATTER. An invocation takes every
// ceil(width / 4)-th element of a row.

struct Params { rows: u32, width: u32, stride: u32, first: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<src_vec4>;
@group(0) @binding(2) var<storage, read_write> out: array<out_real>;

override VEC: bool = false;
override SCATTER: bool = false;

fn move_element(to: u32, at: u32, none: bool) {
  var v = vec4f();
  if (!none) {
    if (VEC) { v = vec4f(src[at]); } else { v.x = f32(src[at / 4u][at % 4u]); }
  }
  put(to, v);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= select(params.rows, params.rows * params.stride, SCATTER)) { return; }
  var to = params.first + row;
  var at = row * params.stride;
  if (SCATTER) {
    to = row;
    at = params.first + row / params.stride;
  }
  let none = SCATTER && row % params.stride != 0u;
  for (var k = 0u; k < 4u; k++) {
    let c = i % step + k * step;
    if (c < width) { move_element(to * width + c, at * width + c, none); }
  }
}
