// Moves the rows that an index names between two matrices of D columns.
//
// index [M] names rows of the large matrix [R, D]; a number of R or more (NONE) names none.
// SCATTER false: out [M, D] row m = src row index[m], 0 where that names none.
// SCATTER true: out [R, D] row index[m] += src row m; other rows stay. No row is named twice.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(M · ceil(width / 4), 64). An invocation takes every ceil(width / 4)-th element of a row.

struct Params { rows: u32, width: u32, limit: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<src_vec4>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<out_real>;

override VEC: bool = false;
override SCATTER: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.rows) { return; }
  let named = index[row];
  let none = named >= params.limit;
  for (var k = 0u; k < 4u; k++) {
    let c = i % step + k * step;
    if (c < width) {
      if (SCATTER) {
        let to = named * width + c;
        if (!none) { put(to, load_out(to) + source(row * width + c)); }
      } else if (none) {
        put(row * width + c, vec4f());
      } else {
        put(row * width + c, source(named * width + c));
      }
    }
  }
}
