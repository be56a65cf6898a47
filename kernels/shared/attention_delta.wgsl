// Channels of a head of attention's output, read for its backward pass; needs attention_load.wgsl.

// Vec4 c of the head that begins at element `at` of out, zero beyond the head.
fn out4(at: u32, c: u32) -> vec4f {
  if (VEC) { return vec4f(out[(at >> 2u) + c]); }
  let i = at + 4u * c;
  let left = params.head_dim - 4u * c;
  return vec4f(
    f32(out[i >> 2u][i & 3u]),
    select(0.0, f32(out[(i + 1u) >> 2u][(i + 1u) & 3u]), left > 1u),
    select(0.0, f32(out[(i + 2u) >> 2u][(i + 2u) & 3u]), left > 2u),
    select(0.0, f32(out[(i + 3u) >> 2u][(i + 3u) & 3u]), left > 3u),
  );
}
