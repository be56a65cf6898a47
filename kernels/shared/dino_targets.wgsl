// What the student's rows of logits meet: the teacher's distributions. Needs dino_rows.wgsl, fours.wgsl, bits.wgsl.

fn load_teacher(i: u32) -> vec4f {
  if (VEC) { return teacher[i]; }
  return vec4f(teacher[i / 4u][i % 4u]);
}

fn load_grad(i: u32) -> vec4f {
  if (VEC) { return vec4f(out[4u * i], out[4u * i + 1u], out[4u * i + 2u], out[4u * i + 3u]); }
  return vec4f(out[i]);
}

// exp(z − max) of a teacher's row with that state, from its first element.
fn target_weight(start: u32, k: u32, temp: f32, top: f32) -> vec4f {
  return exp((load_teacher(start + k) - load_center(k)) / temp - top);
}

// A row of logits that are not all finite, by its state.
fn broken(state: vec4f) -> bool {
  return is_odd(bitcast<u32>(state.y));
}

// One chunk's part of a pair; log Σ exp(s − max) comes in once.
fn add_pair(at: u32, cross: f32, lse: f32, nan: bool) {
  pair[at] = bits_or_nan(cross + select(bitcast<f32>(pair[at]), lse, params.first != 0u), nan);
}
