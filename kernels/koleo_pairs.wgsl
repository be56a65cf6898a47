// How far apart the rows of a group are, for KoLeo (Sablayrolles et al. 2019, arXiv:1806.03198).
//
// x [R, D], rows of length 1 or less, in groups of B → pairs [R, B] = (1 − x_r · x_j, ‖x_r − x_j‖²) for every
// row r and every row j of its group. Where both have length 1 the first is half the second: from the
// differences, it tells rows apart that are 1e-7 apart, while 1 − x · x is rounding below 3e-4.
// Launch: grid(R · ceil(B / 4), 64), one row with four others per invocation.

struct Params { rows: u32, dim: u32, group: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> pairs: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let blocks = (params.group + 3u) / 4u;
  let row = i / blocks;
  if (row >= params.rows) { return; }
  let j = i % blocks * 4u;
  let base = row * params.dim;
  let last = params.group - 1u;
  let others = (row - row % params.group + min(vec4u(j, j + 1u, j + 2u, j + 3u), vec4u(last))) * params.dim;
  var dot = vec4f();
  var squares = vec4f();
  for (var d = 0u; d < params.dim; d++) {
    let a = x[base + d];
    let b = vec4f(x[others.x + d], x[others.y + d], x[others.z + d], x[others.w + d]);
    let c = a - b;
    dot += a * b;
    squares += c * c;
  }
  // ‖x_r‖² + ‖x_j‖² = 2 but for rows shorter than 1: those whose length was below eps.
  let apart = select(1.0 - dot, 0.5 * squares, squares + 2.0 * dot > vec4f(1.9999));
  for (var k = 0u; k < min(4u, params.group - j); k++) {
    pairs[row * params.group + j + k] = vec2f(apart[k], squares[k]);
  }
}
