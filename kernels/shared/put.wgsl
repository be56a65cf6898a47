// Writes to `out`, an array of out_real (f32 where the kernel says so), one component after the other: a write of one component of a vec4 may touch
// the whole, and neighbours belong to other invocations. VEC: four elements; else the first alone.

fn put(at: u32, v: vec4f) {
  if (VEC) {
    out[4u * at] = out_real(v.x);
    out[4u * at + 1u] = out_real(v.y);
    out[4u * at + 2u] = out_real(v.z);
    out[4u * at + 3u] = out_real(v.w);
  } else {
    out[at] = out_real(v.x);
  }
}
