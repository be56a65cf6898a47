// Hashes of a tensor's bits, for comparing two runs of a kernel: out[at + l] is that of what lane l of 512 has looked
// at. All of x [n] where n ≤ samples; else `samples` words in runs of 64, evenly spread.
//
// Each lane takes every 512th sample in order: h = (h xor (word + place · 0x85ebca6b)) · 16777619, modulo 2³²
// (Fowler, Noll and Vo's step), so that words that change places change it. Integers only: no order of sums, no float.
// Launch: eight workgroups.

struct Params { n: u32, samples: u32, at: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = wg.x * 64u + local;
  let all = params.n <= params.samples;
  let count = min(params.n, params.samples);
  let spread = params.n / max(1u, params.samples / 64u);
  var h = 2166136261u;
  for (var j = lane; j < count; j += 512u) {
    let i = select(min(j / 64u * spread + j % 64u, params.n - 1u), j, all);
    h = (h ^ (x[i] + i * 0x85ebca6bu)) * 16777619u;
  }
  out[params.at + lane] = h;
}
