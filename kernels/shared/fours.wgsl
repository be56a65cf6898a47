// Rows walked in vec4s (VEC) or in single elements, each four times in a vec4.

override VEC: bool = false;

fn add(v: vec4f) -> f32 {
  if (VEC) { return v.x + v.y + v.z + v.w; }
  return v.x;
}
