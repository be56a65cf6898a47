// Moves every `stride`-th row between two matrices of D columns.
//
// SCATTER false: dst row (first + r) = src row (r · stride), r < rows; other rows of dst stay.
// SCATTER true: dst row (r · stride) = src row (first + r); all other rows of dst become 0.
// Launch: grid(rows · D, 64), or grid(rows · stride · D, 64) with SCATTER.

struct Params { rows: u32, dim: u32, stride: u32, first: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

override SCATTER: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let d = i % params.dim;
  let row = i / params.dim;
  if (SCATTER) {
    if (row >= params.rows * params.stride) { return; }
    let from_row = (params.first + row / params.stride) * params.dim + d;
    dst[i] = select(0.0, src[from_row], row % params.stride == 0u);
    return;
  }
  if (row >= params.rows) { return; }
  dst[(params.first + row) * params.dim + d] = src[row * params.stride * params.dim + d];
}
