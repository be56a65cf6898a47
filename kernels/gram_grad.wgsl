// The gradient of the Gram loss with respect to the normalised tokens, and what each patch adds to the loss.
//
// For patch i of an image, with difference as gram_difference left it: share [n · P] = Σ_j difference_ij²,
// out [n, T, D] = factor · Σ_j difference_ij x_j; both are symmetric in i and j, so a row is all there is to a patch.
// SCALED: both are multiplied by scalars[factor_index].
// Tokens that are no patches get 0.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is a row in elements.
// Launch: grid(blocks · width, 64), four rows of one element per invocation.

struct Params { blocks: u32, first: u32, patches: u32, tokens: u32, width: u32, factor: f32, factor_index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> difference: array<f32>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> share: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
alias out_real = f32;

override VEC: bool = false;
override SCALED: bool = false;

fn load_token(i: u32) -> vec4f {
  if (VEC) { return x[i]; }
  return vec4f(x[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let at = (wg.y * num.x + wg.x) * 64u + local;
  let block = at / params.width;
  if (block >= params.blocks) { return; }
  let c = at % params.width;
  let per = (params.patches + 3u) / 4u;
  let image = (params.first + block) / per;
  let i = (params.first + block) % per * 4u;
  let others = params.tokens - params.patches;
  let start = image * params.tokens + others;
  let base = block * 4u * params.patches;
  var squares = vec4f();
  var sums = mat4x4f();
  for (var j = 0u; j < params.patches; j++) {
    let row = base + j;
    let d = vec4f(
      difference[row],
      difference[row + params.patches],
      difference[row + 2u * params.patches],
      difference[row + 3u * params.patches],
    );
    squares += d * d;
    let v = load_token((start + j) * params.width + c);
    sums[0] += d.x * v;
    sums[1] += d.y * v;
    sums[2] += d.z * v;
    sums[3] += d.w * v;
  }
  var scale = 1.0;
  if (SCALED) { scale = scalars[params.factor_index]; }
  for (var k = 0u; k < min(4u, params.patches - i); k++) {
    put((start + i + k) * params.width + c, sums[k] * (params.factor * scale));
    if (c == 0u) { share[image * params.patches + i + k] = squares[k] * scale; }
  }
  if (i == 0u) {
    for (var t = 0u; t < others; t++) { put((start - others + t) * params.width + c, vec4f()); }
  }
}
