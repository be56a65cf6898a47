// L2 normalisation of rows, as torch.nn.functional.normalize: y = x / max(‖x‖, eps).
//
// GRAD true: with u = x / max(‖x‖, eps), out = (dy − u · Σ dy · u) / max(‖x‖, eps); below eps the norm is
// a constant and out = dy / eps.
// The row is divided by its largest magnitude first, so that squares neither overflow nor vanish.
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

override LANES: u32 = 1u;
override GRAD: bool = false;
var<workgroup> partial: array<f32, 64>;

fn combine(value: f32, local: u32, largest: bool) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  partial[local] = value;
  workgroupBarrier();
  let first = local - local % LANES;
  var v = partial[first];
  for (var i = 1u; i < LANES; i++) {
    let other = partial[first + i];
    v = select(v + other, max(v, other), largest);
  }
  return v;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let base = row * params.dim;
  var top = 0.0;
  for (var d = lane; d < params.dim; d += LANES) { top = max(top, abs(x[base + d])); }
  top = max(combine(top, local, true), 1e-30);
  var squares = 0.0;
  for (var d = lane; d < params.dim; d += LANES) {
    let v = x[base + d] / top;
    squares += v * v;
  }
  let norm = sqrt(combine(squares, local, false)) * top;
  let scale = max(norm, params.eps);
  var dot = 0.0;
  if (GRAD) {
    for (var d = lane; d < params.dim; d += LANES) { dot += dy[base + d] * (x[base + d] / scale); }
    dot = select(0.0, combine(dot, local, false), norm > params.eps);
  }
  if (!live) { return; }
  for (var d = lane; d < params.dim; d += LANES) {
    let u = x[base + d] / scale;
    out[base + d] = select(u, (dy[base + d] - u * dot) / scale, GRAD);
  }
}
