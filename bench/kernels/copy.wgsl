// Copies vec4s: what the adapter's memory does at best in a shader. For the benchmark only.
//
// Bindings: 0 Params, 1 source [n], 2 out [n], both in vec4s.
// Constants: PER vec4s per invocation, next to each other, or with STRIDED a workgroup apart.
// Launch: n / PER invocations, workgroups of 64; n a multiple of 64 · PER.
// Source: this project.

override PER: u32 = 1;
override STRIDED: bool = false;

struct Params {
  n: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * 64 * PER;
  let step = select(1u, 64u, STRIDED);
  let at = first + select(lane * PER, lane, STRIDED);
  if (at + (PER - 1) * step >= p.n) {
    return;
  }
  for (var i = 0u; i < PER; i++) {
    out[at + i * step] = source[at + i * step];
  }
}
