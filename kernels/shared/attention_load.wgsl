// Channels of a head, four at a time. VEC: head_dim is a multiple of 4.

override VEC: bool = false;

// Vec4 c of the head that begins at element `at` of qkv, zero beyond the head.
fn qkv4(at: u32, c: u32) -> vec4f {
  if (VEC) { return vec4f(qkv[(at >> 2u) + c]); }
  let i = at + 4u * c;
  let left = params.head_dim - 4u * c;
  return vec4f(
    f32(qkv[i >> 2u][i & 3u]),
    select(0.0, f32(qkv[(i + 1u) >> 2u][(i + 1u) & 3u]), left > 1u),
    select(0.0, f32(qkv[(i + 2u) >> 2u][(i + 2u) & 3u]), left > 2u),
    select(0.0, f32(qkv[(i + 3u) >> 2u][(i + 3u) & 3u]), left > 3u),
  );
}
