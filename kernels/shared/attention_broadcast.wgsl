// Rows of the sequence as the lanes of a subgroup meet them together: each lane loads a share of one row, or of two
// (TWO), and gives it to all, since software adapters are bound by loads.
//
// head_dim is a multiple of 4; subgroups have at least LANES lanes, and all of them must get here.

// 8 or 16.
override LANES: u32 = 8u;

// Vec4s of a row that all lanes load at once; with TWO even lanes load the first row, odd ones the second.
fn share() -> u32 {
  return select(LANES, LANES / 2u, TWO);
}

// The vec4s that a lane loads, up to four of them.
fn own(lane: u32) -> vec4u {
  let first = select(lane, lane / 2u, TWO);
  return min(first + share() * vec4u(0u, 1u, 2u, 3u), vec4u(BLOCKS - 1u));
}

// The row that a lane loads of those from j on.
fn own_row(j: u32, lane: u32) -> u32 {
  if (!TWO) { return j; }
  return min(j + lane % 2u, params.tokens - 1u);
}

// Whether lanes load so many vec4s.
fn loads(i: u32) -> bool {
  return (i - 1u) * share() < BLOCKS;
}

// A lane's share of rows of qkv that begin at vec4 `at`.
fn take(at: u32, mine: vec4u) -> mat4x4f {
  var x = mat4x4f();
  x[0] = vec4f(qkv[at + mine.x]);
  if (loads(2u)) { x[1] = vec4f(qkv[at + mine.y]); }
  if (loads(3u)) { x[2] = vec4f(qkv[at + mine.z]); }
  if (loads(4u)) { x[3] = vec4f(qkv[at + mine.w]); }
  return x;
}

fn meet_one(what: u32, c: u32, x: vec4f, y: vec4f) {
  if (c < BLOCKS) { visit(what, c, x, y); }
}

// What lanes 2 i and 2 i + 1 have loaded as their `load`th.
fn meet(what: u32, load: u32, i: u32, x: vec4f, y: vec4f) {
  let c = load * share();
  if (TWO) {
    meet_one(what, c + i, x, y);
  } else {
    meet_one(what, c + 2u * i, x, x);
    meet_one(what, c + 2u * i + 1u, y, y);
  }
}

fn walk_load(what: u32, load: u32, x: vec4f) {
  meet(what, load, 0u, subgroupBroadcast(x, 0u), subgroupBroadcast(x, 1u));
  meet(what, load, 1u, subgroupBroadcast(x, 2u), subgroupBroadcast(x, 3u));
  meet(what, load, 2u, subgroupBroadcast(x, 4u), subgroupBroadcast(x, 5u));
  meet(what, load, 3u, subgroupBroadcast(x, 6u), subgroupBroadcast(x, 7u));
  if (LANES > 8u) {
    meet(what, load, 4u, subgroupBroadcast(x, 8u), subgroupBroadcast(x, 9u));
    meet(what, load, 5u, subgroupBroadcast(x, 10u), subgroupBroadcast(x, 11u));
    meet(what, load, 6u, subgroupBroadcast(x, 12u), subgroupBroadcast(x, 13u));
    meet(what, load, 7u, subgroupBroadcast(x, 14u), subgroupBroadcast(x, 15u));
  }
}

// All vec4s of the rows of which each lane has taken its share.
fn walk(what: u32, x: mat4x4f) {
  walk_load(what, 0u, x[0]);
  if (loads(2u)) { walk_load(what, 1u, x[1]); }
  if (loads(3u)) { walk_load(what, 2u, x[2]); }
  if (loads(4u)) { walk_load(what, 3u, x[3]); }
}
