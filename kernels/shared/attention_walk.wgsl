// Rows of the sequence as an invocation meets them by itself: loaded, or from workgroup memory.
//
// They come in two streams: keys and values, or queries and the gradients of their outputs; `load4(second, at, c)` is
// vec4 c of one, whose head begins at element `at`. STAGED: a workgroup of WIDTH brings TILE of them to its memory at a
// time, TILE · BLOCKS <= 512, for adapters where that is fast.

override STAGED: bool = false;
override WIDTH: u32 = 8u;
override TILE: u32 = 1u;

var<workgroup> first_rows: array<vec4f, TILE * BLOCKS>;
var<workgroup> second_rows: array<vec4f, TILE * BLOCKS>;

// Brings `count` rows of both streams, whose heads begin at `at`, `stride` elements apart, to workgroup memory.
fn stage(local: u32, count: u32, at: vec2u, stride: vec2u) {
  workgroupBarrier();
  for (var i = local; i < count * BLOCKS; i += WIDTH) {
    first_rows[i] = load4(false, at.x + i / BLOCKS * stride.x, i % BLOCKS);
    second_rows[i] = load4(true, at.y + i / BLOCKS * stride.y, i % BLOCKS);
  }
  workgroupBarrier();
}

fn meet(what: u32, second: bool, at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    if (!STAGED) {
      visit(what, c, load4(second, at, c));
    } else if (second) {
      visit(what, c, second_rows[staged + c]);
    } else {
      visit(what, c, first_rows[staged + c]);
    }
  }
}

fn meet_four(what: u32, second: bool, at: u32, staged: u32, c: u32) {
  meet(what, second, at, staged, c);
  meet(what, second, at, staged, c + 1u);
  meet(what, second, at, staged, c + 2u);
  meet(what, second, at, staged, c + 3u);
}

// All vec4s of one row, whose head begins at element `at`, and at vec4 `staged` of workgroup memory.
fn walk(what: u32, second: bool, at: u32, staged: u32) {
  meet_four(what, second, at, staged, 0u);
  meet_four(what, second, at, staged, 4u);
  meet_four(what, second, at, staged, 8u);
  meet_four(what, second, at, staged, 12u);
  meet_four(what, second, at, staged, 16u);
  meet_four(what, second, at, staged, 20u);
  meet_four(what, second, at, staged, 24u);
  meet_four(what, second, at, staged, 28u);
}
