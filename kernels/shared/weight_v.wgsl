// The directions v [K, D] of a weight-normed layer, in vec4s (VEC) or in single elements.

override VEC: bool = false;

// An element, or four.
fn load_v(i: u32) -> vec4f {
  if (VEC) { return v[i]; }
  return vec4f(v[i / 4u][i % 4u], 0.0, 0.0, 0.0);
}
