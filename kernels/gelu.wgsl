// Exact GELU, x · Φ(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415), and its gradient.
//
// GRAD false: y = gelu(x). GRAD true: y = dy · gelu'(x).
// Launch: grid(4 · ceil(n / 64), 64): four invocations take every fourth vec4 of 64 elements. Bindings are
// padded to whole vec4s.

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

override GRAD: bool = false;

alias Real = vec4f;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  let count = (params.n + 3u) / 4u;
  for (var k = 0u; k < 4u; k++) {
    let i = t / 4u * 16u + k * 4u + t % 4u;
    if (i < count) {
      if (GRAD) { y[i] = dy[i] * gelu_grad(x[i]); } else { y[i] = gelu(x[i]); }
    }
  }
}
