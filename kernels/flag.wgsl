// The non-finite flag: looks through numbers in order and names the first that is not finite.
//
// flag [3]: if flag[0] is still 0 and values[i] is the first non-finite one, flag[0] = 1 + step and
// flag[1] = 1 + first + i; the step is scalars[step_index]. flag[2] = micro_batches[0], which may say more.
// Kernels that change the state do nothing while flag[0] is set.
// Launch: one workgroup of one invocation.

struct Params { n: u32, first: u32, step_index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> scalars: array<f32>;
@group(0) @binding(3) var<storage, read> micro_batches: array<u32>;
@group(0) @binding(4) var<storage, read_write> flag: array<u32>;

@compute @workgroup_size(1)
fn main() {
  if (flag[0] != 0u) { return; }
  for (var i = 0u; i < params.n; i++) {
    // By the bits: an optimiser may assume that floats are finite.
    if ((bitcast<u32>(values[i]) & 0x7f800000u) == 0x7f800000u) {
      flag[0] = 1u + u32(scalars[params.step_index]);
      flag[1] = 1u + params.first + i;
      flag[2] = micro_batches[0];
      return;
    }
  }
}
