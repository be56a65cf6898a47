// LayerScale (Touvron et al. 2021, arXiv:2103.17239): out = [x +] h · gamma, a factor for every column.
//
// x, h, out [R, D], gamma [D]. Of gradients, h = dy gives dh.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(R · ceil(width / 4), 64). An invocation takes every ceil(width / 4)-th element of a row.

struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> h: array<vec4f>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

override VEC: bool = false;
override ADD: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.rows) { return; }
  for (var k = 0u; k < 4u; k++) {
    let c = i % step + k * step;
    let at = row * width + c;
    if (c < width) {
      if (VEC) {
        var v = h[at] * gamma[c];
        if (ADD) { v += x[at]; }
        put(at, v);
      } else {
        var v = h[at / 4u][at % 4u] * gamma[c / 4u][c % 4u];
        if (ADD) { v += x[at / 4u][at % 4u]; }
        put(at, vec4f(v));
      }
    }
  }
}
