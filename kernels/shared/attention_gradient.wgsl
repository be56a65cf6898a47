// Channels of a head of the gradients, four at a time; needs attention_load.wgsl.

// Vec4 c of the head that begins at element `at` of dout, zero beyond the head.
fn dout4(at: u32, c: u32) -> vec4f {
  if (VEC) { return dout[(at >> 2u) + c]; }
  let i = at + 4u * c;
  let left = params.head_dim - 4u * c;
  return vec4f(
    dout[i >> 2u][i & 3u],
    select(0.0, dout[(i + 1u) >> 2u][(i + 1u) & 3u], left > 1u),
    select(0.0, dout[(i + 2u) >> 2u][(i + 2u) & 3u], left > 2u),
    select(0.0, dout[(i + 3u) >> 2u][(i + 3u) & 3u], left > 3u),
  );
}

fn put(at: u32, c: u32, x: vec4f) {
  let left = params.head_dim - 4u * c;
  let i = at + 4u * c;
  dqkv[i] = x.x;
  if (VEC || left > 1u) { dqkv[i + 1u] = x.y; }
  if (VEC || left > 2u) { dqkv[i + 2u] = x.z; }
  if (VEC || left > 3u) { dqkv[i + 3u] = x.w; }
}
