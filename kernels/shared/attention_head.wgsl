// What the kernels of attention have in common: each invocation holds up to three rows of a head in registers
// ("its own": queries, or keys and values) and meets every row of the sequence, one after the other.
//
// Arrays stay in registers only if nothing indexes them dynamically, and compilers of software adapters do not unroll
// long loops: none runs over the arrays here. Four vec4s at a time enter and leave them, which move on by four: less
// code to compile. A kernel says in `shift_one(what, c)` what moves, in `visit(what, c, x, y)` what it does with vec4 c
// of a row that it meets, and of the next one where it meets two at a time (TWO); `what` is a constant in every call,
// and only the branch that it names is compiled.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_vec4>;

// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// BLOCKS rounded up to a multiple of 4: the part of the arrays that is in use.
override END: u32 = 4u;
// Own rows per invocation, 1 to 3: numbers 0 to 2 of the arrays, x to z of the vectors.
override Q: u32 = 1u;
// Rows of the sequence are met in pairs: what is summed is read and written half as often, by twice the code. What is
// of the second row has a name that ends in 2; where the sequence ends before it, it is the first once more, of weight 0.
override TWO: bool = false;

// What `visit` does: scores, products with the second row, sums (or the first of two), the second sums.
const SCORE = 0u;
const DP = 1u;
const SUM = 2u;
const SECOND_SUM = 3u;
// What moves: what came in, or what is to be stored.
const INPUT = 4u;
const OUTPUT = 5u;

var<private> score: vec3f;
var<private> score2: vec3f;

// Where an invocation works.
struct Place {
  // Sequence of batch and heads, the head's first channel, the first row of its picture.
  sample: u32,
  head: u32,
  first: u32,
  // Tokens and rows of its own, and whether they exist: without one it computes what nobody needs and stores nothing,
  // for all must reach the broadcasts.
  token: vec3u,
  row: vec3u,
  valid: vec3<bool>,
}

// Workgroups for the rows of a sequence.
fn tiles_of(lanes: u32) -> u32 {
  return (params.tokens + lanes * Q - 1u) / (lanes * Q);
}

// Invocation `lane` of the `lanes` of workgroup `index`, of which there are n: B · heads · ceil(N / (lanes · Q)).
fn place(index: u32, lane: u32, lanes: u32) -> Place {
  let tiles = tiles_of(lanes);
  let sample = index / tiles;
  let first = sample / params.heads * params.tokens;
  let token = vec3u(0u, lanes, 2u * lanes) + index % tiles * lanes * Q + lane;
  return Place(
    sample,
    sample % params.heads * params.head_dim,
    first,
    token,
    first + min(token, vec3u(params.tokens - 1u)),
    (token < vec3u(params.tokens)) & vec3<bool>(index < params.n),
  );
}

fn shift_four(what: u32, c: u32) {
  if (c + 4u < END) { shift_one(what, c); }
  if (c + 5u < END) { shift_one(what, c + 1u); }
  if (c + 6u < END) { shift_one(what, c + 2u); }
  if (c + 7u < END) { shift_one(what, c + 3u); }
}

// Makes room for four vec4s at the end, or moves what is not yet stored to the front.
fn shift(what: u32) {
  shift_four(what, 0u);
  shift_four(what, 4u);
  shift_four(what, 8u);
  shift_four(what, 12u);
  shift_four(what, 16u);
  shift_four(what, 20u);
  shift_four(what, 24u);
}
