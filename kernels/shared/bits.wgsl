// Numbers that are not finite, told and stored by their bits: a compiler may assume that floats are finite, and so lose
// a NaN that arithmetic makes, or a comparison that looks for one.

// 1 where the bits are those of an infinity or a NaN.
fn odd(bits: vec4u) -> vec4u {
  return select(vec4u(), vec4u(1u), (bits & vec4u(0x7f800000u)) == vec4u(0x7f800000u));
}

fn is_odd(bits: u32) -> bool {
  return (bits & 0x7f800000u) == 0x7f800000u;
}

// The bits of v, or of NaN.
fn bits_or_nan(v: f32, nan: bool) -> u32 {
  return select(bitcast<u32>(v), 0x7fc00000u, nan);
}
