// Gradient of the weighted cross-entropy by its logits: out = (p − one-hot) · weight of the row.
//
// p [R, C] are the softmax of the logits, labels [R] classes, weights [R] 1 / rows of the batch, or 0 for a row that
// only fills it.
// Launch: grid(R · C, 64).

struct Params { rows: u32, classes: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.rows * params.classes) { return; }
  let row = i / params.classes;
  let hot = select(0.0, 1.0, labels[row] == i % params.classes);
  out[i] = (p[i] - hot) * weights[row];
}
