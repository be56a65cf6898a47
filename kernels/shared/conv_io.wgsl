// What a convolution as a matmul takes: one operand is read in place out of pictures, channels last (conv_taps.wgsl),
// the other is a matrix. C [M, N] with ldc.
//
// EXACT_K: K is a multiple of 4.

struct Params {
  m: u32, n: u32, k: u32, lda: u32, ldb: u32, ldc: u32, epilogue: u32, split: u32, sum_add: u32, zero_from: u32, zero_end: u32,
  channels: u32, height: u32, width: u32, grid: u32, grid_width: u32, side: u32, stride: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<a_vec4>;
@group(0) @binding(2) var<storage, read> b: array<b_vec4>;
@group(0) @binding(3) var<storage, read_write> c: array<c_real>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> aux: array<aux_vec4>;
@group(0) @binding(6) var<storage, read_write> pre: array<pre_real>;

override EXACT_K: bool = false;
