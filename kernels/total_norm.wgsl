// The norm of all gradients, from those of their tensors, chunk by chunk.
//
// norms [n] → total [2] = (largest norm m, Σ (norm / m)²): neither overflows nor vanishes. With `more` it goes on from
// what is there. Floats by their bits: with a norm that is not finite, m is NaN.
// Launch: one workgroup of one invocation.

struct Params { n: u32, more: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> norms: array<u32>;
@group(0) @binding(2) var<storage, read_write> total: array<u32>;

@compute @workgroup_size(1)
fn main() {
  var top = 0.0;
  var sum = 0.0;
  var odd = false;
  if (params.more != 0u) {
    odd = total[0] >= 0x7f800000u;
    top = bitcast<f32>(total[0]);
    sum = bitcast<f32>(total[1]);
  }
  for (var i = 0u; i < params.n; i++) {
    let norm = bitcast<f32>(norms[i]);
    odd |= (norms[i] & 0x7fffffffu) >= 0x7f800000u;
    if (odd) { break; }
    if (norm > top) {
      let scale = top / norm;
      sum = sum * scale * scale + 1.0;
      top = norm;
    } else if (norm > 0.0) {
      let scale = norm / top;
      sum += scale * scale;
    }
  }
  total[0] = select(bitcast<u32>(top), 0x7fc00000u, odd);
  total[1] = bitcast<u32>(sum);
}
