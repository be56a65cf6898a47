// Keys and values as the two streams of attention_walk.wgsl: both lie in qkv.

fn load4(second: bool, at: u32, c: u32) -> vec4f {
  return qkv4(at, c);
}
