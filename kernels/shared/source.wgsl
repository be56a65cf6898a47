// What a kernel that moves rows reads: `src`, an array of src_vec4, and what `out` holds, an array of out_real.
//
// VEC: four elements; else the first alone, in all components.

fn source(at: u32) -> vec4f {
  if (VEC) { return vec4f(src[at]); }
  return vec4f(f32(src[at / 4u][at % 4u]));
}

fn load_out(at: u32) -> vec4f {
  if (VEC) { return vec4f(f32(out[4u * at]), f32(out[4u * at + 1u]), f32(out[4u * at + 2u]), f32(out[4u * at + 3u])); }
  return vec4f(f32(out[at]));
}
