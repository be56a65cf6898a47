// The teacher: teacher ← m · teacher + (1 − m) · student, over a whole arena (Caron et al. 2021,
// arXiv:2104.14294, section 3.1). scalars[momentum_index] = m, and 1 − m follows it: in f32 the difference
// would lose digits.
//
// Does nothing while flag[0] is set.
// Launch: grid(n / 16, 64), n a multiple of 64: four invocations take every fourth vec4 of 64 elements.

struct Params { n: u32, momentum_index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> teacher: array<vec4f>;
@group(0) @binding(2) var<storage, read> student: array<vec4f>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read> flag: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  if (16u * t >= params.n || flag[0] != 0u) { return; }
  let m = scalars[params.momentum_index];
  let rest = scalars[params.momentum_index + 1u];
  for (var k = 0u; k < 4u; k++) {
    let i = t / 4u * 16u + k * 4u + t % 4u;
    teacher[i] = teacher[i] * m + student[i] * rest;
  }
}
