// L2 normalisation of rows, as torch.nn.functional.normalize: y = x / max(‖x‖, eps).
//
// GRAD true: with u = x / max(‖x‖, eps), out = (dy − u · Σ dy · u) / max(‖x‖, eps); below eps the norm is
// a constant and out = dy / eps.
// The row is divided by its largest magnitude first, so that squares neither overflow nor vanish.
// VEC: D is a multiple of 4, and rows are walked in vec4s.
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
alias out_real = f32;

override VEC: bool = false;
override GRAD: bool = false;

// An element, or four.
fn load_x(i: u32) -> vec4f {
  if (VEC) { return vec4f(x[i]); }
  return vec4f(f32(x[i / 4u][i % 4u]), 0.0, 0.0, 0.0);
}

fn load_dy(i: u32) -> vec4f {
  if (VEC) { return dy[i]; }
  return vec4f(dy[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let width = select(params.dim, params.dim / 4u, VEC);
  let base = row * width;
  var tops = vec4f();
  for (var d = lane; d < width; d += LANES) { tops = max(tops, abs(load_x(base + d))); }
  let top = max(combine(max(max(tops.x, tops.y), max(tops.z, tops.w)), local, true), 1e-30);
  var squares = vec4f();
  for (var d = lane; d < width; d += LANES) {
    let v = load_x(base + d) / top;
    squares += v * v;
  }
  let norm = sqrt(combine(squares.x + squares.y + squares.z + squares.w, local, false)) * top;
  let scale = max(norm, params.eps);
  var dot = 0.0;
  if (GRAD) {
    var dots = vec4f();
    for (var d = lane; d < width; d += LANES) { dots += load_dy(base + d) * (load_x(base + d) / scale); }
    dot = select(0.0, combine(dots.x + dots.y + dots.z + dots.w, local, false), norm > params.eps);
  }
  if (!live) { return; }
  for (var d = lane; d < width; d += LANES) {
    let at = base + d;
    var v = load_x(at) / scale;
    if (GRAD) { v = (load_dy(at) - v * dot) / scale; }
    put(at, v);
  }
}
