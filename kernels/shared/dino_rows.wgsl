// Rows of logits, walked in vec4s (VEC) or in single elements, each four times in a vec4.

override VEC: bool = false;

fn load_center(i: u32) -> vec4f {
  if (VEC) { return center[i]; }
  return vec4f(center[i / 4u][i % 4u]);
}

fn add(v: vec4f) -> f32 {
  if (VEC) { return v.x + v.y + v.z + v.w; }
  return v.x;
}
