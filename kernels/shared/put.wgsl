// Writes to `out`, an array of f32, one component after the other: a write of one component of a vec4 may touch
// the whole, and neighbours belong to other invocations. VEC: four elements; else the first alone.

fn put(at: u32, v: vec4f) {
  if (VEC) {
    out[4u * at] = v.x;
    out[4u * at + 1u] = v.y;
    out[4u * at + 2u] = v.z;
    out[4u * at + 3u] = v.w;
  } else {
    out[at] = v.x;
  }
}
