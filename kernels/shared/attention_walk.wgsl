// Rows of the sequence as an invocation of a workgroup of WIDTH meets them by itself.
//
// They come in two streams: keys and values, or queries and the gradients of their outputs; `load4(second, at, c)` is
// vec4 c of one, whose head begins at element `at`.

override WIDTH: u32 = 8u;

fn meet(what: u32, second: bool, at: u32, c: u32) {
  if (c >= BLOCKS) { return; }
  let x = load4(second, at, c);
  visit(what, c, x, x);
}

fn meet_four(what: u32, second: bool, at: u32, c: u32) {
  meet(what, second, at, c);
  meet(what, second, at, c + 1u);
  meet(what, second, at, c + 2u);
  meet(what, second, at, c + 3u);
}

// All vec4s of one row, whose head begins at element `at`.
fn walk(what: u32, second: bool, at: u32) {
  meet_four(what, second, at, 0u);
  meet_four(what, second, at, 4u);
  meet_four(what, second, at, 8u);
  meet_four(what, second, at, 12u);
  meet_four(what, second, at, 16u);
  meet_four(what, second, at, 20u);
  meet_four(what, second, at, 24u);
  meet_four(what, second, at, 28u);
}
