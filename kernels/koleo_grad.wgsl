// Gradient of the KoLeo loss with respect to the normalised rows, both ends of every pair:
//
// grad [R, D]_r = −slope_r (x_r − x_nearest(r)) + Σ over the rows i of the group with nearest(i) = r of
// slope_i (x_i − x_r), the sum in the order of the rows; nearest and slope [R] as koleo_nearest left them.
// Launch: grid(R · 64, 64), one workgroup per row; its invocations share the columns.

struct Params { rows: u32, dim: u32, group: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> nearest: array<u32>;
@group(0) @binding(3) var<storage, read> slope: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y * num.x + wg.x;
  if (row >= params.rows) { return; }
  let base = row * params.dim;
  let other = nearest[row] * params.dim;
  for (var d = lane; d < params.dim; d += 64u) { grad[base + d] = slope[row] * (x[other + d] - x[base + d]); }
  // Rows outside, columns inside: there are R pairs in all, so few rows are ever met.
  let first = row - row % params.group;
  for (var i = first; i < first + params.group; i++) {
    if (nearest[i] == row && i != row) {
      for (var d = lane; d < params.dim; d += 64u) { grad[base + d] += slope[i] * (x[i * params.dim + d] - x[base + d]); }
    }
  }
}
