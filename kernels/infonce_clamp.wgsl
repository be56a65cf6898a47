// The most that a learned temperature's ln(1/τ) may be (CLIP, Radford et al. 2021, arXiv:2103.00020, section 2.5).
//
// log_scale [1] = min(log_scale, most); what is not a number stays so.
// Launch: one invocation.

struct Params { most: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> log_scale: array<f32>;

@compute @workgroup_size(1)
fn main() {
  if (log_scale[0] > params.most) { log_scale[0] = params.most; }
}
