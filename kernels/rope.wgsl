// Axial rotary position embedding, as in DINOv3 (Siméoni et al. 2025, arXiv:2508.10104): queries and keys of patches
// are rotated in place, pair by pair.
//
// qkv [B, N, 3 · D], [q | k | v], each [head][head_dim]; the first `prefix` tokens are no patches and stay, as values do.
// Element j of a head is paired with j + head_dim / 2. Pairs of the first quarter of a head turn by the patch's row, those
// of the second by its column; table [rows + columns, head_dim / 4] holds (cos, sin) of both.
// `turn` is 1, or -1 for the inverse, which is the adjoint.
// Launch: grid(n, 64), n = B · patches · D pairs.

struct Params { n: u32, tokens: u32, prefix: u32, heads: u32, head_dim: u32, rows: u32, cols: u32, turn: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> qkv: array<qkv_real>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let half = params.head_dim / 2u;
  let quarter = params.head_dim / 4u;
  let dim = params.heads * params.head_dim;
  // Of a token's D pairs, the first half are of queries, the second of keys.
  let pair = i % dim;
  let patches = params.rows * params.cols;
  let at = i / dim % patches;
  let b = i / dim / patches;
  let j = pair % half;
  let head = pair / half; // queries' heads, then keys'
  let first = (b * params.tokens + params.prefix + at) * 3u * dim + head * params.head_dim + j;
  let place = select(at / params.cols, params.rows + at % params.cols, j >= quarter);
  let angle = table[place * quarter + j % quarter];
  let x = vec2f(f32(qkv[first]), f32(qkv[first + half]));
  let sine = params.turn * angle.y;
  qkv[first] = qkv_real(x.x * angle.x - x.y * sine);
  qkv[first + half] = qkv_real(x.y * angle.x + x.x * sine);
}
