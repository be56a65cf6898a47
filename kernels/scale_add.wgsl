// out = [x +] h · scale[row / group]: a residual branch under drop path, or its gradient.
//
// x, h, out [R, D]; scale holds one factor per `group` consecutive rows (the tokens of a sample).
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(R · ceil(width / 4), 64). An invocation takes every ceil(width / 4)-th element of a row.

struct Params { rows: u32, width: u32, group: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_vec4>;
@group(0) @binding(2) var<storage, read> h: array<h_vec4>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<out_real>;

override VEC: bool = false;
override ADD: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.rows) { return; }
  let factor = scale[row / params.group];
  for (var k = 0u; k < 4u; k++) {
    let c = i % step + k * step;
    let at = row * width + c;
    if (c < width) {
      if (VEC) {
        var v = vec4f(h[at]) * factor;
        if (ADD) { v += vec4f(x[at]); }
        put(at, v);
      } else {
        var v = f32(h[at / 4u][at % 4u]) * factor;
        if (ADD) { v += f32(x[at / 4u][at % 4u]); }
        put(at, vec4f(v));
      }
    }
  }
}
