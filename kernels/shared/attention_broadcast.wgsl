// Rows of the sequence as the lanes of a subgroup meet them together: each lane loads two vec4s (four of wide heads)
// and gives them to all, since software adapters are bound by loads.
//
// head_dim is a multiple of 4; subgroups have at least 8 lanes, and all of them must get here.

// The vec4s of a row that a lane loads.
fn own(lane: u32) -> vec4u {
  return min(2u * lane + vec4u(0u, 1u, 16u, 17u), vec4u(BLOCKS - 1u));
}

fn meet(what: u32, c: u32, a: vec4f, b: vec4f) {
  if (c < BLOCKS) { visit(what, c, a); }
  if (c + 1u < BLOCKS) { visit(what, c + 1u, b); }
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn walk(what: u32, c: u32, a: vec4f, b: vec4f) {
  meet(what, c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  meet(what, c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  meet(what, c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  meet(what, c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  meet(what, c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  meet(what, c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  meet(what, c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  meet(what, c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
}
