// Softmax of rows: y = exp(x − max) / Σ exp(x − max).
//
// GRAD true: x holds y and dy is given: out = y · (dy − Σ dy · y).
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

override GRAD: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let base = row * params.cols;
  if (GRAD) {
    var dot = 0.0;
    for (var c = lane; c < params.cols; c += LANES) { dot += x[base + c] * dy[base + c]; }
    dot = combine(dot, local, false);
    // No early return: what follows in the other case has barriers, and all must be able to reach them.
    if (live) {
      for (var c = lane; c < params.cols; c += LANES) { out[base + c] = x[base + c] * (dy[base + c] - dot); }
    }
    return;
  }
  var top = -3.4028234e38;
  for (var c = lane; c < params.cols; c += LANES) { top = max(top, x[base + c]); }
  top = combine(top, local, true);
  var sum = 0.0;
  for (var c = lane; c < params.cols; c += LANES) { sum += exp(x[base + c] - top); }
  sum = combine(sum, local, false);
  if (!live) { return; }
  for (var c = lane; c < params.cols; c += LANES) { out[base + c] = exp(x[base + c] - top) / sum; }
}
