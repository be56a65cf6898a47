// What updates of whole arenas have in common: their table of words, and the teacher that follows the student, a moving
// average (Caron et al. 2021, arXiv:2104.14294, section 3.1): teacher ← m · teacher + (1 − m) · student.
//
// table: word 0 is the step's non-finite flag; the others are bits of f32. Four scalars of group g from
// params.groups + 4 · g on, m and 1 − m from params.momentum_at: in f32 the difference would lose digits.
// FOLLOW: there is a teacher that steps along.

override FOLLOW: bool = false;

fn flagged() -> bool {
  return table[0] != 0u;
}

fn scalar(i: u32) -> f32 {
  return bitcast<f32>(table[i]);
}

fn follow(i: u32, p: vec4f) {
  if (FOLLOW) {
    teacher[i] = teacher[i] * scalar(params.momentum_at) + p * scalar(params.momentum_at + 1u);
  }
}

// An invocation's vec4s of a granule that stays as it is.
fn follow_granule(granule: u32, lane: u32) {
  if (FOLLOW) {
    for (var k = 0u; k < 4u; k++) {
      let i = granule * 16u + k * 4u + lane;
      if (4u * i < params.n) { follow(i, parameter[i]); }
    }
  }
}
