// Sums of columns in a fixed order: rows of a chunk from first to last.
//
// x [R, stride], columns offset … offset + C − 1 → out [chunks, C] = scale · Σ over the chunk's rows
// [+ the old out].
// Launch: grid(chunks · C, 64), one invocation per column and chunk.

struct Params { rows: u32, cols: u32, stride: u32, offset: u32, chunk: u32, chunks: u32, accumulate: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let col = i % params.cols;
  let chunk = i / params.cols;
  if (chunk >= params.chunks) { return; }
  let first = chunk * params.chunk;
  let end = min(first + params.chunk, params.rows);
  var sum = 0.0;
  for (var r = first; r < end; r++) { sum += x[r * params.stride + params.offset + col]; }
  sum *= params.scale;
  if (params.accumulate != 0u) { sum += out[i]; }
  out[i] = sum;
}
