// The student's side of the DINO loss: loss terms and gradient of one row in one go.
//
// Row (v, b) of student [V·B, K] meets the targets T = Σ over the teacher's views g ≠ v of q_g, all of the
// same sample b; n_v is their number (G, or G − 1 for a global view). With s = student / student_temp:
//   pair[g, row] = −Σ_k q_g log softmax(s)_k            (0 where g = v)
//   grad = (n_v · softmax(s) − T) / (student_temp · terms · B),  terms = G (V − 1)
// (Caron et al. 2021, arXiv:2104.14294, eq. 3, in closed form). Nothing of size pairs × K is stored.
// stats: as dino_teacher left them. scalars = (…, student_temp, …, teacher_temp, …) at the given indices.
// Launch: 64 invocations, LANES of them per row: grid(V · B · LANES, 64). LANES divides 64.

struct Params { rows: u32, dim: u32, batch: u32, globals: u32, views: u32, student_temp: u32, teacher_temp: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> student: array<f32>;
@group(0) @binding(2) var<storage, read> teacher: array<f32>;
@group(0) @binding(3) var<storage, read> center: array<f32>;
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;
@group(0) @binding(5) var<storage, read> scalars: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad: array<f32>;
@group(0) @binding(7) var<storage, read_write> pair: array<f32>;

override LANES: u32 = 1u;
var<workgroup> partial: array<f32, 64>;

// Sum (or maximum) over the lanes of a row, in lane order.
fn combine(value: f32, local: u32, largest: bool) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  partial[local] = value;
  workgroupBarrier();
  let first = local - local % LANES;
  var v = partial[first];
  for (var i = 1u; i < LANES; i++) {
    let other = partial[first + i];
    v = select(v + other, max(v, other), largest);
  }
  return v;
}

// Teacher probability of view g, sample b, dimension k.
fn target_probability(g: u32, b: u32, k: u32, temp: f32) -> f32 {
  let row = g * params.batch + b;
  let s = stats[row];
  return exp((teacher[row * params.dim + k] - center[k]) / temp - s.x - s.y);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let view = row / params.batch;
  let b = row % params.batch;
  let base = row * params.dim;
  let temp = scalars[params.student_temp];
  let teacher_temp = scalars[params.teacher_temp];
  var top = -3.4028234e38;
  for (var k = lane; k < params.dim; k += LANES) { top = max(top, student[base + k] / temp); }
  top = combine(top, local, true);
  var sum = 0.0;
  for (var k = lane; k < params.dim; k += LANES) { sum += exp(student[base + k] / temp - top); }
  sum = combine(sum, local, false);
  let log_sum = log(sum);

  // Each term is −log softmax ≥ 0, weighted: never a difference of two large sums. grad holds the targets
  // until the last pass.
  for (var k = lane; k < params.dim; k += LANES) {
    if (live) { grad[base + k] = 0.0; }
  }
  for (var g = 0u; g < params.globals; g++) {
    var cross = 0.0;
    if (g != view) {
      for (var k = lane; k < params.dim; k += LANES) {
        let p = target_probability(g, b, k, teacher_temp);
        cross += p * (top - student[base + k] / temp + log_sum);
        if (live) { grad[base + k] += p; }
      }
    }
    cross = combine(cross, local, false);
    if (live && lane == 0u) { pair[g * params.rows + row] = cross; }
  }

  if (!live) { return; }
  let targets = f32(params.globals) - select(0.0, 1.0, view < params.globals);
  let terms = f32(params.globals * (params.views - 1u));
  let scale = 1.0 / (temp * terms * f32(params.batch));
  for (var k = lane; k < params.dim; k += LANES) {
    grad[base + k] = (targets * exp(student[base + k] / temp - top) / sum - grad[base + k]) * scale;
  }
}
