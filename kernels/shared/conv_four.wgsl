// Four columns of a row of windows where channels are whole vec4s (conv_taps.wgsl): one load.

fn taps(at: vec3u, column: u32, last: u32) -> vec4f {
  let i = locate(at, tap(min(column, last - 3u)));
  return select(vec4f(), source(u32(max(i, 0)) >> 2u), i >= 0);
}
