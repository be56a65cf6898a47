// What the LANES invocations that share a row make together, in workgroups of GROUP; LANES divides GROUP, and is a
// multiple of 8 where it is more.

override LANES: u32 = 1u;
override GROUP: u32 = 64u;
var<workgroup> lanes: array<f32, GROUP>;

fn merge(a: f32, b: f32, largest: bool) -> f32 {
  return select(a + b, max(a, b), largest);
}

// Sum (or maximum) over the lanes of a row, in lane order; of many by eights, then of these, since each lane reads them
// all. All invocations must get here.
fn combine(value: f32, local: u32, largest: bool) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  lanes[local] = value;
  workgroupBarrier();
  let near = local - local % min(LANES, 8u);
  var v = lanes[near];
  for (var i = 1u; i < min(LANES, 8u); i++) { v = merge(v, lanes[near + i], largest); }
  if (LANES <= 8u) { return v; }
  workgroupBarrier();
  lanes[local] = v;
  workgroupBarrier();
  let first = local - local % LANES;
  v = lanes[first];
  for (var i = 8u; i < LANES; i += 8u) { v = merge(v, lanes[first + i], largest); }
  return v;
}
