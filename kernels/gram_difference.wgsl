// How far the Gram matrices of two networks' patch tokens are apart (DINOv3, Siméoni et al. 2025, arXiv:2508.10104,
// section 4.2), for some rows of them.
//
// x, y [n, T, D], rows of length 1, of which the last P of every image are its patches. Rows of a Gram matrix come in
// blocks of four, ceil(P / 4) an image: difference [blocks · 4, P] = x_i · x_j − y_i · y_j, for patch i of row
// `first` · 4 on, and every patch j of the same image. Rows past the last patch repeat it.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(blocks · ceil(P / 4), 64), four rows with four columns per invocation.

struct Params { blocks: u32, first: u32, patches: u32, tokens: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> difference: array<f32>;

override VEC: bool = false;

fn load_student(i: u32) -> vec4f {
  if (VEC) { return x[i]; }
  return vec4f(x[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

fn load_anchor(i: u32) -> vec4f {
  if (VEC) { return y[i]; }
  return vec4f(y[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let at = (wg.y * num.x + wg.x) * 64u + local;
  let per = (params.patches + 3u) / 4u;
  let block = at / per;
  if (block >= params.blocks) { return; }
  let image = (params.first + block) / per;
  let i = (params.first + block) % per * 4u;
  let j = at % per * 4u;
  let last = vec4u(params.patches - 1u);
  let start = image * params.tokens + params.tokens - params.patches;
  let rows = (start + min(vec4u(i, i + 1u, i + 2u, i + 3u), last)) * params.width;
  let cols = (start + min(vec4u(j, j + 1u, j + 2u, j + 3u), last)) * params.width;
  var own = mat4x4f();
  var anchor = mat4x4f();
  for (var c = 0u; c < params.width; c++) {
    let a = mat4x4f(load_student(cols.x + c), load_student(cols.y + c), load_student(cols.z + c), load_student(cols.w + c));
    let b = mat4x4f(load_anchor(cols.x + c), load_anchor(cols.y + c), load_anchor(cols.z + c), load_anchor(cols.w + c));
    // v · M is the row of v's products with M's columns.
    own[0] += load_student(rows.x + c) * a;
    own[1] += load_student(rows.y + c) * a;
    own[2] += load_student(rows.z + c) * a;
    own[3] += load_student(rows.w + c) * a;
    anchor[0] += load_anchor(rows.x + c) * b;
    anchor[1] += load_anchor(rows.y + c) * b;
    anchor[2] += load_anchor(rows.z + c) * b;
    anchor[3] += load_anchor(rows.w + c) * b;
  }
  for (var k = 0u; k < 4u; k++) {
    let apart = own[k] - anchor[k];
    let to = (block * 4u + k) * params.patches + j;
    for (var m = 0u; m < min(4u, params.patches - j); m++) { difference[to + m] = apart[m]; }
  }
}
