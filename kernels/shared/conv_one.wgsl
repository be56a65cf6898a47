// Four columns of a row of windows, one by one, for any number of channels (conv_taps.wgsl). What lies beyond the last
// column is any number of the pictures.

fn element(at: vec3u, column: u32) -> f32 {
  let i = locate(at, tap(column));
  let index = u32(max(i, 0));
  return select(0.0, source(index >> 2u)[index & 3u], i >= 0);
}

fn taps(at: vec3u, column: u32, last: u32) -> vec4f {
  return vec4f(element(at, min(column, last)), element(at, min(column + 1u, last)), element(at, min(column + 2u, last)), element(at, min(column + 3u, last)));
}
