// Sums over the eight lanes of a subgroup that hold a row.

// Sum over components and lanes. Constant lanes cost little, unlike subgroupAdd, whose order is free besides.
fn total(v: vec4f) -> f32 {
  let s = v.x + v.y + v.z + v.w;
  return subgroupBroadcast(s, 0u) + subgroupBroadcast(s, 1u) + subgroupBroadcast(s, 2u) + subgroupBroadcast(s, 3u)
    + subgroupBroadcast(s, 4u) + subgroupBroadcast(s, 5u) + subgroupBroadcast(s, 6u) + subgroupBroadcast(s, 7u);
}
