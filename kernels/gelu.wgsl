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

// erf by a rational approximation on [-4, 4] (about 2 ulp), 1 beyond.
fn erf(x: vec4f) -> vec4f {
  let y = clamp(x, vec4f(-4.0), vec4f(4.0));
  let z = y * y;
  var p = z * -2.72614225801306e-10 + 2.77068142495902e-08;
  p = z * p - 2.10102402082508e-06;
  p = z * p - 5.69250639462346e-05;
  p = z * p - 7.34990630326855e-04;
  p = z * p - 2.95459980854025e-03;
  p = z * p - 1.60960333262415e-02;
  var q = z * -1.45660718464996e-05 - 2.13374055278905e-04;
  q = z * q - 1.68282697438203e-03;
  q = z * q - 7.37332916720468e-03;
  q = z * q - 1.42647390514189e-02;
  return y * p / q;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let t = (wg.y * num.x + wg.x) * 64u + local;
  let count = (params.n + 3u) / 4u;
  for (var k = 0u; k < 4u; k++) {
    let i = t / 4u * 16u + k * 4u + t % 4u;
    if (i < count) {
      let v = x[i];
      let cdf = 0.5 * (1.0 + erf(v * 0.70710678118));
      if (GRAD) {
        // Beyond |x| = 12 the term x · density is nothing beside 1; the bound keeps it so for any x.
        let w = clamp(v, vec4f(-12.0), vec4f(12.0));
        y[i] = dy[i] * (cdf + w * 0.3989422804 * exp(-0.5 * w * w));
      } else {
        y[i] = v * cdf;
      }
    }
  }
}
