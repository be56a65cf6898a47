// What the LANES invocations that share a row make together, in workgroups of 64; LANES divides 64.

override LANES: u32 = 1u;
var<workgroup> lanes: array<f32, 64>;

// Sum (or maximum) over the lanes of a row, in lane order. All invocations must get here.
fn combine(value: f32, local: u32, largest: bool) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  lanes[local] = value;
  workgroupBarrier();
  let first = local - local % LANES;
  var v = lanes[first];
  for (var i = 1u; i < LANES; i++) {
    let other = lanes[first + i];
    v = select(v + other, max(v, other), largest);
  }
  return v;
}
