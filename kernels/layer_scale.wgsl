// LayerScale (Touvron et al. 2021, arXiv:2103.17239): out = [x +] h · gamma, a factor for every column.
//
// x, h, out [R, D], gamma [D]. Of gradients, h = dy gives dh.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(R · ceil(width / 4), 64); shared/walk_rows.wgsl.

struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> h: array<h_vec4>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<out_real>;

override VEC: bool = false;
override ADD: bool = false;

fn element(row: u32, col: u32) {
  let at = row * params.width + col;
  if (VEC) {
    var v = vec4f(h[at]) * gamma[col];
    if (ADD) { v += vec4f(x[at]); }
    put(at, v);
  } else {
    var v = f32(h[at / 4u][at % 4u]) * gamma[col / 4u][col % 4u];
    if (ADD) { v += f32(x[at / 4u][at % 4u]); }
    put(at, vec4f(v));
  }
}
