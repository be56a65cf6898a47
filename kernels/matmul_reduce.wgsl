// Σ of the partial products of a matmul, then its epilogue: partial [PARTS, M, N] → C [M, N]. PARTS is 1 where a
// product leaves its epilogue to this kernel.
//
// Epilogue, in this order: + the old C (ACCUMULATE); + bias[n] (BIAS); the exact GELU (GELU), of what pre keeps
// (PRE); · GELU'(aux) (GELU_GRAD); + aux (ADD). Constants: Mesa's software driver compiles a kernel anew
// at every dispatch where knowing the uniforms would remove half of it.
// Parts are added from first to last.
// SUMS: so are the sums of op(A) over K, partial_sums [PARTS, M] → sums [M] (shared/matmul_sums.wgsl).
// Launch: grid(M · N, 64), or M more with SUMS, one output per invocation.

struct Params { count: u32, columns: u32, rows: u32, sum_add: u32, zero_from: u32, zero_end: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<c_real>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> aux: array<aux_real>;
@group(0) @binding(5) var<storage, read_write> pre: array<pre_real>;
@group(0) @binding(6) var<storage, read> partial_sums: array<f32>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;

override PARTS: u32 = 1u;
override ACCUMULATE: bool = false;
override BIAS: bool = false;
override GELU: bool = false;
override PRE: bool = false;
override GELU_GRAD: bool = false;
override ADD: bool = false;
override SUMS: bool = false;

alias Real = f32;

fn add_sums(row: u32) {
  if (row >= params.rows) { return; }
  var v = partial_sums[row];
  for (var s = 1u; s < PARTS; s++) { v += partial_sums[s * params.rows + row]; }
  if (row >= params.zero_from && row < params.zero_end) { v = 0.0; }
  if (params.sum_add != 0u) { v += sums[row]; }
  sums[row] = v;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.count) {
    if (SUMS) { add_sums(i - params.count); }
    return;
  }
  var v = partial[i];
  for (var s = 1u; s < PARTS; s++) { v += partial[s * params.count + i]; }
  if (ACCUMULATE) { v += f32(c[i]); }
  if (BIAS) { v += bias[i % params.columns]; }
  if (GELU) {
    if (PRE) { pre[i] = pre_real(v); }
    v = gelu(v);
  }
  if (GELU_GRAD) { v *= gelu_grad(f32(aux[i])); }
  if (ADD) { v += f32(aux[i]); }
  c[i] = c_real(v);
}
