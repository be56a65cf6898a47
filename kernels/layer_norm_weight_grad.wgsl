// Partial sums of the gradients of layer norm's weight and bias.
//
// partial [chunks, 2, D]: over the rows of each chunk, Σ dy · (x − mean) · rstd, then Σ dy.
// Launch: grid(chunks · D, 64), one invocation per column and chunk; column_sum finishes the job.

struct Params { rows: u32, dim: u32, chunk: u32, chunks: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let d = i % params.dim;
  let chunk = i / params.dim;
  if (chunk >= params.chunks) { return; }
  let first = chunk * params.chunk;
  let end = min(first + params.chunk, params.rows);
  var sums = vec2f();
  for (var r = first; r < end; r++) {
    let g = dy[r * params.dim + d];
    sums += vec2f(g * (x[r * params.dim + d] - stats[2u * r]) * stats[2u * r + 1u], g);
  }
  partial[2u * chunk * params.dim + d] = sums.x;
  partial[(2u * chunk + 1u) * params.dim + d] = sums.y;
}
