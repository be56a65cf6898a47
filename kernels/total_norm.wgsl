// The norm of all gradients, from those of their tensors, chunk by chunk.
//
// norms [n] → total [2] = (largest norm m, Σ (norm / m)²): neither overflows nor vanishes. With `more` it goes on from
// what is there. With a norm that is not finite, m has its bits.
// Launch: one workgroup of one invocation.

struct Params { n: u32, more: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(1)
fn main() {
  var top = 0.0;
  var sum = 0.0;
  if (params.more != 0u) {
    top = total[0];
    sum = total[1];
  }
  for (var i = 0u; i < params.n; i++) {
    let norm = norms[i];
    if (max(bitcast<u32>(norm) & 0x7fffffffu, bitcast<u32>(top)) >= 0x7f800000u) {
      top = bitcast<f32>(0x7fc00000u);
    } else if (norm > top) {
      let scale = top / norm;
      sum = sum * scale * scale + 1.0;
      top = norm;
    } else if (norm > 0.0) {
      let scale = norm / top;
      sum += scale * scale;
    }
  }
  total[0] = top;
  total[1] = sum;
}
