// The two streams of a backward pass: queries, keys and values lie in qkv, the second is the gradients of outputs.

fn load4(second: bool, at: u32, c: u32) -> vec4f {
  if (second) { return dout4(at, c); }
  return qkv4(at, c);
}
