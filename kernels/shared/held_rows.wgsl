// Rows that LANES invocations of a workgroup of 64 hold in registers, PER vec4s each, and read once: for GPUs.
//
// D is a multiple of 4 and at most 4 · LANES · PER, PER at most 4. Arrays of a row have constant lengths and loops over
// them constant ends, so that compilers unroll these and keep those in registers.

override LANES: u32 = 8u;
override PER: u32 = 1u;
var<workgroup> pairs: array<vec2f, 64>;

// Sums over a row of the sums of both vec4s, lane by lane; where there are many, by eights first, since each lane of a
// row reads them all. All invocations must get here.
fn over_lanes(a: vec4f, b: vec4f, local: u32) -> vec2f {
  workgroupBarrier();
  pairs[local] = vec2f(a.x + a.y + a.z + a.w, b.x + b.y + b.z + b.w);
  workgroupBarrier();
  let first = local - local % 8u;
  var sum = pairs[first];
  for (var i = 1u; i < 8u; i++) { sum += pairs[first + i]; }
  if (LANES == 8u) { return sum; }
  workgroupBarrier();
  pairs[local] = sum;
  workgroupBarrier();
  sum = vec2f();
  for (var i = 0u; i < LANES; i += 8u) { sum += pairs[local - local % LANES + i]; }
  return sum;
}
