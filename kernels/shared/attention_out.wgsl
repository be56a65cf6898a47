// Channels of a head of the output, four at a time; needs attention_load.wgsl.

fn put(at: u32, c: u32, x: vec4f) {
  let left = params.head_dim - 4u * c;
  let i = at + 4u * c;
  out[i] = out_real(x.x);
  if (VEC || left > 1u) { out[i + 1u] = out_real(x.y); }
  if (VEC || left > 2u) { out[i + 2u] = out_real(x.z); }
  if (VEC || left > 3u) { out[i + 3u] = out_real(x.w); }
}
