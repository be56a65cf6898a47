// SwiGLU (Shazeer 2020, arXiv:2002.05202): silu(x₁) · x₂ of the halves of a row, silu(v) = v / (1 + exp(−v)).
//
// x [R, 2 · H]. GRAD false: out [R, H]. GRAD true: dy [R, H] → out [R, 2 · H], the gradient of x.
// VEC: H is a multiple of 4, and an element below is a vec4; `width` is half a row of x in elements.
// Launch: grid(R · ceil(width / 4), 64); shared/walk_rows.wgsl.

struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<out_real>;

override VEC: bool = false;
override GRAD: bool = false;

// Beyond -80 it is 0 to float32, and exp of the bound is still a number.
fn sigmoid(v: vec4f) -> vec4f {
  return select(1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0)))), vec4f(), v < vec4f(-80.0));
}

fn of_x(at: u32) -> vec4f {
  if (VEC) { return vec4f(x[at]); }
  return vec4f(f32(x[at / 4u][at % 4u]));
}

fn of_dy(at: u32) -> vec4f {
  if (VEC) { return dy[at]; }
  return vec4f(dy[at / 4u][at % 4u]);
}

fn element(row: u32, col: u32) {
  let at = 2u * row * params.width + col;
  let gate = of_x(at);
  let s = sigmoid(gate);
  if (GRAD) {
    let d = of_dy(row * params.width + col);
    put(at, d * of_x(at + params.width) * (s * (1.0 + gate * (1.0 - s))));
    put(at + params.width, d * (gate * s));
  } else {
    put(row * params.width + col, gate * s * of_x(at + params.width));
  }
}
