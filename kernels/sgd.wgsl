// SGD with momentum over a whole arena, as PyTorch has it (dampening 0), with clipping, and the teacher that follows.
//
// segment, table and factors: as in adamw.wgsl; the third scalar of a group is 0 where it is frozen, the fourth is not used.
//   g ← clipped gradient + wd · decay · p;  b ← momentum · b + g;  p ← p − lr · b, or p − lr (g + momentum · b) with NESTEROV
// Does nothing while the flag is set; leaves a frozen group alone, but the teacher follows it too.
// Launch: grid(elements / 16, 64), four invocations to a granule, as adamw.wgsl. n is a multiple of 4.

struct Params { n: u32, groups: u32, momentum_at: u32, momentum: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(2) var<storage, read> grad: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> momentum_buffer: array<vec4f>;
@group(0) @binding(4) var<storage, read> segment: array<vec4u>;
@group(0) @binding(5) var<storage, read> factors: array<f32>;
@group(0) @binding(6) var<storage, read> table: array<u32>;
@group(0) @binding(7) var<storage, read_write> teacher: array<vec4f>;

override NESTEROV: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  let granule = t / 4u;
  if (64u * granule >= params.n || flagged()) { return; }
  // (tensor, decay, group, bits of the rate's factor)
  let info = segment[granule];
  let at = params.groups + 4u * info.z;
  if (scalar(at + 2u) == 0.0) {
    follow_granule(granule, t % 4u);
    return;
  }
  let rate = scalar(at) * bitcast<f32>(info.w);
  let decay = scalar(at + 1u) * f32(info.y);
  let factor = factors[info.x];
  for (var k = 0u; k < 4u; k++) {
    let i = granule * 16u + k * 4u + t % 4u;
    if (4u * i >= params.n) { return; }
    let p = parameter[i];
    let g = grad[i] * factor + decay * p;
    let b = params.momentum * momentum_buffer[i] + g;
    momentum_buffer[i] = b;
    var along = b;
    if (NESTEROV) { along = g + params.momentum * b; }
    let next = p - rate * along;
    parameter[i] = next;
    follow(i, next);
  }
}
