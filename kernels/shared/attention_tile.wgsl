// Attention in tiles, for GPUs (Dao et al. 2022, arXiv:2205.14135; Dao 2023, arXiv:2307.08691): a workgroup has
// ROWS · HEIGHT rows of a head of its own (queries, or keys) and meets the others 32 at a time.
//
// An invocation (x, y) of 8 × HEIGHT makes a block of ROWS own rows, from y · ROWS on, by four others: x, x + 8, x + 16
// and x + 24. Both operands pass through workgroup memory in chunks of 8 vec4s of channels; what comes out of a score is
// laid where the own rows were, and multiplied by the others once more. So memory does not depend on the head's size:
// 160 bytes per own row and 4 KiB.
//
// A kernel gives load4(second, at, c), vec4 c of a row of the first or second stream whose head begins at element `at`.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_vec4>;

// Chunks of a head, at most 4: head_dim <= 128.
override CHUNKS: u32 = 1u;
// Own rows per invocation, 4 or 8, and invocations per column.
override ROWS: u32 = 4u;
override HEIGHT: u32 = 8u;
// 8 · ROWS · HEIGHT, by itself since naga 29 ends on two arrays of a computed length.
override OWN: u32 = 256u;

// Own rows, [row][vec4]; other ones, where neighbours read the same vec4 of neighbouring rows: see other_at.
var<workgroup> own: array<vec4f, OWN>;
var<workgroup> other: array<vec4f, 256>;
// A number of each invocation per own row, for maxima and sums over a row.
var<workgroup> shares: array<f32, OWN>;

// The block under way. Constant indices alone, so that it stays in registers.
var<private> block: array<vec4f, 8>;

// Where a workgroup works, and an invocation in it.
struct Place {
  // Sequence of batch and heads, the head's first channel, the first row of its picture, the first own token.
  sequence: u32,
  head: u32,
  first: u32,
  token: u32,
  // Whether the workgroup is one of the n; others compute the last one again and store nothing.
  live: bool,
  x: u32,
  // The first own row.
  row: u32,
}

// Workgroup `index`, of which there are n: B · heads · ceil(N / (ROWS · HEIGHT)).
fn place(index: u32, local: vec3u) -> Place {
  let tiles = (params.tokens + ROWS * HEIGHT - 1u) / (ROWS * HEIGHT);
  let at = min(index, params.n - 1u);
  let sequence = at / tiles;
  return Place(
    sequence,
    sequence % params.heads * params.head_dim,
    sequence / params.heads * params.tokens,
    at % tiles * ROWS * HEIGHT,
    index < params.n,
    local.x,
    local.y * ROWS,
  );
}

// Vec4s of a head.
fn blocks() -> u32 {
  return (params.head_dim + 3u) / 4u;
}

fn own_at(row: u32, c: u32) -> u32 {
  return 8u * row + c;
}

// Swizzled: eight rows' vec4s of one number lie in eight different banks, and so do the eight of one row.
fn other_at(row: u32, c: u32) -> u32 {
  return 8u * row + (c ^ (row & 7u));
}

// Own row `row` + r of an invocation: neighbours in neighbouring banks.
fn share_at(r: u32, x: u32, row: u32) -> u32 {
  return 8u * (r * HEIGHT + row / ROWS) + x;
}

// Vec4 x of chunk `chunk` of a row, or 0 beyond the sequence and the head.
fn part(second: bool, at: u32, token: u32, chunk: u32, x: u32) -> vec4f {
  let c = 8u * chunk + x;
  if (token < params.tokens && c < blocks()) { return load4(second, at, c); }
  return vec4f();
}

// Brings a chunk of the own rows: token 0 of the sequence begins at element `at`, rows are `stride` apart.
fn stage_own(here: Place, second: bool, at: u32, stride: u32, chunk: u32) {
  for (var row = here.row / ROWS; row < ROWS * HEIGHT; row += HEIGHT) {
    let token = here.token + row;
    own[own_at(row, here.x)] = part(second, at + token * stride, token, chunk, here.x);
  }
}

// Brings a chunk of the 32 others from token `base` on.
fn stage_other(here: Place, second: bool, at: u32, stride: u32, base: u32, chunk: u32) {
  for (var row = here.row / ROWS; row < 32u; row += HEIGHT) {
    other[other_at(row, here.x)] = part(second, at + (base + row) * stride, base + row, chunk, here.x);
  }
}

// Explicit fma: no compiler may round a score in one kernel and not in another one.
fn meet(sum: vec4f, a: vec4f, b: mat4x4f) -> vec4f {
  return fma(vec4f(a.w), b[3], fma(vec4f(a.z), b[2], fma(vec4f(a.y), b[1], fma(vec4f(a.x), b[0], sum))));
}

// block += vec4 c of the own rows · b.
fn multiply(row: u32, c: u32, b: mat4x4f) {
  block[0] = meet(block[0], own[own_at(row, c)], b);
  block[1] = meet(block[1], own[own_at(row + 1u, c)], b);
  block[2] = meet(block[2], own[own_at(row + 2u, c)], b);
  block[3] = meet(block[3], own[own_at(row + 3u, c)], b);
  if (ROWS > 4u) {
    block[4] = meet(block[4], own[own_at(row + 4u, c)], b);
    block[5] = meet(block[5], own[own_at(row + 5u, c)], b);
    block[6] = meet(block[6], own[own_at(row + 6u, c)], b);
    block[7] = meet(block[7], own[own_at(row + 7u, c)], b);
  }
}

// block += products of the staged chunks over channels: own rows by four others.
fn scores(here: Place) {
  for (var c = 0u; c < 8u; c++) {
    multiply(
      here.row,
      c,
      transpose(mat4x4f(
        other[other_at(here.x, c)],
        other[other_at(here.x + 8u, c)],
        other[other_at(here.x + 16u, c)],
        other[other_at(here.x + 24u, c)],
      )),
    );
  }
}

// block += Σ over the others of their weights, which lie where own rows were, · their vec4 x of the staged chunk.
fn sums(here: Place) {
  for (var c = 0u; c < 8u; c++) {
    multiply(
      here.row,
      c,
      mat4x4f(
        other[other_at(c, here.x)],
        other[other_at(c + 8u, here.x)],
        other[other_at(c + 16u, here.x)],
        other[other_at(c + 24u, here.x)],
      ),
    );
  }
}

// block = products over all channels of the own rows with the 32 others from token `base` on. The streams' token 0
// begin at elements `at`.x and .y, their rows are `stride` apart.
fn all_scores(here: Place, second: vec2<bool>, at: vec2u, stride: vec2u, base: u32) {
  block = array<vec4f, 8>();
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    workgroupBarrier();
    stage_own(here, second.x, at.x, stride.x, chunk);
    stage_other(here, second.y, at.y, stride.y, base, chunk);
    workgroupBarrier();
    scores(here);
  }
}

// Lays the weights of four others by own row, `block`, where the own rows were; all have been multiplied.
fn lay(here: Place) {
  own[own_at(here.row, here.x)] = block[0];
  own[own_at(here.row + 1u, here.x)] = block[1];
  own[own_at(here.row + 2u, here.x)] = block[2];
  own[own_at(here.row + 3u, here.x)] = block[3];
  if (ROWS > 4u) {
    own[own_at(here.row + 4u, here.x)] = block[4];
    own[own_at(here.row + 5u, here.x)] = block[5];
    own[own_at(here.row + 6u, here.x)] = block[6];
    own[own_at(here.row + 7u, here.x)] = block[7];
  }
}
