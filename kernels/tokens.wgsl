// Assembles tokens [B, C + R + P, D]: the class token where C is 1, R registers, then the patches; class token and
// patches plus the position embedding.
//
// patches [B · P, D], cls [C, D], reg [R, D], pos [C + P, D] → tokens.
// POS false: there is no position embedding.
// BACK true: src = gradient of tokens; dst = gradient of patches (the other rows are left out).
// MASK 1: a patch with mask [B · P] other than 0 is the mask token [D] instead, and has no gradient.
// MASK 2, with BACK: those patches alone have theirs, which is the mask token's; all others get 0.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(rows of dst · ceil(width / 4), 64). An invocation takes every ceil(width / 4)-th element of a row.

struct Params { rows: u32, patches: u32, cls: u32, registers: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<src_vec4>;
@group(0) @binding(2) var<storage, read> cls: array<vec4f>;
@group(0) @binding(3) var<storage, read> reg: array<vec4f>;
@group(0) @binding(4) var<storage, read> pos: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<u32>;
@group(0) @binding(6) var<storage, read> mask_token: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<out_real>;

override VEC: bool = false;
override BACK: bool = false;
override POS: bool = true;
override MASK: u32 = 0u;

fn position(at: u32) -> vec4f {
  if (VEC) { return pos[at]; }
  return vec4f(pos[at / 4u][at % 4u]);
}

fn register_token(at: u32) -> vec4f {
  if (VEC) { return reg[at]; }
  return vec4f(reg[at / 4u][at % 4u]);
}

// Element c of patch `at`, or of what stands for it.
fn patch_or_mask(at: u32, c: u32) -> vec4f {
  if (MASK != 0u) {
    if (mask[at] != 0u) {
      if (VEC) { return mask_token[c]; }
      return vec4f(mask_token[c / 4u][c % 4u]);
    }
  }
  return source(at * params.width + c);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.rows) { return; }
  let prefix = params.cls + params.registers;
  let tokens = params.patches + prefix;
  let per = select(tokens, params.patches, BACK);
  let b = row / per;
  let t = row % per;
  var none = false;
  if (BACK && MASK != 0u) { none = (mask[row] != 0u) == (MASK == 1u); }
  for (var k = 0u; k < 4u; k++) {
    let c = i % step + k * step;
    if (c < width) {
      if (BACK) {
        if (none) { put(row * width + c, vec4f()); } else { put(row * width + c, source((b * tokens + prefix + t) * width + c)); }
      } else {
        let is_register = t >= params.cls && t < prefix;
        var v = vec4f();
        if (POS && !is_register) { v = position((t - select(params.registers, 0u, t < params.cls)) * width + c); }
        if (t < params.cls) {
          if (VEC) { v += cls[c]; } else { v += cls[c / 4u][c % 4u]; }
        } else if (is_register) {
          v = register_token((t - params.cls) * width + c);
        } else {
          v += patch_or_mask(b * params.patches + t - prefix, c);
        }
        put(row * width + c, v);
      }
    }
  }
}
