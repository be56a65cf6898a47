// Assembles tokens [B, 1 + P, D]: the class token, then the patches, all plus the position embedding.
//
// patches [B · P, D], cls [D], pos [1 + P, D] → tokens.
// BACK true: src = gradient of tokens; dst = gradient of patches (the class rows are left out).
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(rows of dst · ceil(width / 4), 64). An invocation takes every ceil(width / 4)-th element of a row.

struct Params { rows: u32, patches: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<vec4f>;
@group(0) @binding(2) var<storage, read> cls: array<vec4f>;
@group(0) @binding(3) var<storage, read> pos: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

override VEC: bool = false;
override BACK: bool = false;

fn source(at: u32) -> vec4f {
  if (VEC) { return src[at]; }
  return vec4f(src[at / 4u][at % 4u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.rows) { return; }
  let tokens = params.patches + 1u;
  let per = select(tokens, params.patches, BACK);
  let b = row / per;
  let t = row % per;
  for (var k = 0u; k < 4u; k++) {
    let c = i % step + k * step;
    if (c < width) {
      if (BACK) {
        put(row * width + c, source((b * tokens + 1u + t) * width + c));
      } else {
        let at = t * width + c;
        var v = vec4f();
        if (VEC) { v = pos[at]; } else { v = vec4f(pos[at / 4u][at % 4u]); }
        if (t == 0u) {
          if (VEC) { v += cls[c]; } else { v += cls[c / 4u][c % 4u]; }
        } else {
          v += source((b * params.patches + t - 1u) * width + c);
        }
        put(row * width + c, v);
      }
    }
  }
}
