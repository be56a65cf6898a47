// Σ of the partial products of a matmul, then its epilogue: partial [PARTS, M, N] → C [M, N]. PARTS is 1 where a
// product leaves its epilogue to this kernel.
//
// Epilogue, in this order: + the old C (ACCUMULATE); + bias[n] (BIAS); pre keeps the value and C gets its exact
// GELU (GELU); · GELU'(aux) (GELU_GRAD); + aux (ADD). Constants: Mesa's software driver compiles a kernel anew
// at every dispatch where knowing the uniforms would remove half of it.
// Parts are added from first to last.
// Launch: grid(M · N, 64), one output per invocation.

struct Params { count: u32, columns: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> aux: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;

override PARTS: u32 = 1u;
override ACCUMULATE: bool = false;
override BIAS: bool = false;
override GELU: bool = false;
override GELU_GRAD: bool = false;
override ADD: bool = false;

// erf by a rational approximation on [-4, 4] (about 2 ulp), 1 beyond.
fn erf(x: f32) -> f32 {
  let y = clamp(x, -4.0, 4.0);
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

fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1.0 + erf(x * 0.70710678118));
}

fn gelu_grad(x: f32) -> f32 {
  // Beyond |x| = 12 the term x · density is nothing beside 1; the bound keeps it so for any x.
  let w = clamp(x, -12.0, 12.0);
  return 0.5 * (1.0 + erf(x * 0.70710678118)) + w * 0.3989422804 * exp(-0.5 * w * w);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.count) { return; }
  var v = partial[i];
  for (var s = 1u; s < PARTS; s++) { v += partial[s * params.count + i]; }
  if (ACCUMULATE) { v += c[i]; }
  if (BIAS) { v += bias[i % params.columns]; }
  if (GELU) {
    pre[i] = v;
    v = gelu(v);
  }
  if (GELU_GRAD) { v *= gelu_grad(aux[i]); }
  if (ADD) { v += aux[i]; }
  c[i] = v;
}
