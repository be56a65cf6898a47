// The centre of rows of logits; needs fours.wgsl.

fn load_center(i: u32) -> vec4f {
  if (VEC) { return center[i]; }
  return vec4f(center[i / 4u][i % 4u]);
}
