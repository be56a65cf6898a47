// The student's side of the DINO loss: loss terms and gradient in one pass over each row.
//
// Row (v, b) of student [V·B, C] meets the targets T = Σ over the teacher's views g ≠ v of q_g, all of the
// same sample b; n_v is their number (G, or G − 1 for a global view):
//   pair[g, row] = −Σ_k q_g log softmax(s)_k            (0 where g = v), the bits of a float
//   grad = (n_v · softmax(s) − T) / (student_temp · terms · whole_batch),  terms = G (V − 1),
//          whole_batch = B, or the pictures of the batch of which these are a micro-batch
// with s = student / student_temp and q = softmax((teacher − center) / teacher_temp) (Caron et al. 2021,
// arXiv:2104.14294, eq. 3, in closed form). Nothing of size pairs × C is stored.
// student_state, teacher_state: as dino_stats left them, over all columns of a row; C may be a chunk of
// them, and then every chunk but the first adds to pair. −log softmax = (max − s) + log Σ exp(s − max), and Σ q = 1:
// only the first part is summed, so that no term is negative and none cancels.
// The gradient goes to out. IN_PLACE: the logits come in out, which needs G ≤ 2 (two targets are taken per pass over the row).
// VEC: C is a multiple of 4, and rows are walked in vec4s.
// Launch: GROUP invocations, LANES of them per row: grid(V · B · LANES, GROUP).

struct Params { rows: u32, dim: u32, batch: u32, globals: u32, views: u32, student_temp: u32, teacher_temp: u32, first: u32, whole_batch: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> student: array<vec4f>;
@group(0) @binding(2) var<storage, read> teacher: array<vec4f>;
@group(0) @binding(3) var<storage, read> center: array<vec4f>;
@group(0) @binding(4) var<storage, read> student_state: array<vec4f>;
@group(0) @binding(5) var<storage, read> teacher_state: array<vec4f>;
@group(0) @binding(6) var<storage, read> scalars: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;
@group(0) @binding(8) var<storage, read_write> pair: array<u32>;
alias out_real = f32;

override IN_PLACE: bool = false;

// An element, four times, or four elements.
fn load_student(i: u32) -> vec4f {
  if (VEC) { return student[i]; }
  return vec4f(student[i / 4u][i % 4u]);
}

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * GROUP + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let view = row / params.batch;
  let b = row % params.batch;
  let width = select(params.dim, params.dim / 4u, VEC);
  let base = row * width;
  let temp = scalars[params.student_temp];
  let teacher_temp = scalars[params.teacher_temp];
  let own = student_state[row];
  let targets = f32(params.globals) - select(0.0, 1.0, view < params.globals);
  let scale = 1.0 / (temp * f32(params.globals * (params.views - 1u)) * f32(params.whole_batch));

  for (var g = 0u; g < params.globals; g += 2u) {
    let second = g + 1u < params.globals;
    let use_a = g != view;
    let use_b = second && g + 1u != view;
    let row_a = g * params.batch + b;
    let row_b = select(row_a, row_a + params.batch, second);
    let a = teacher_state[row_a];
    let c = teacher_state[row_b];
    var sums_a = vec4f();
    var sums_b = vec4f();
    // Without a row of its own a lane reads none: others write theirs meanwhile.
    for (var k = select(width, lane, live); k < width; k += LANES) {
      var logit = vec4f();
      if (IN_PLACE) { logit = load_grad(base + k); } else { logit = load_student(base + k); }
      let down = own.x - logit / temp;
      var sum = vec4f();
      if (use_a) {
        let q = target_weight(row_a * width, k, teacher_temp, a.x) / a.z;
        sums_a += q * down;
        sum += q;
      }
      if (use_b) {
        let q = target_weight(row_b * width, k, teacher_temp, c.x) / c.z;
        sums_b += q * down;
        sum += q;
      }
      if (g == 0u) { put(base + k, (targets * (exp(-down) / own.z) - sum) * scale); }
      if (g != 0u) { put(base + k, load_grad(base + k) - sum * scale); }
    }
    let cross_a = combine(add(sums_a), local, false);
    let cross_b = combine(add(sums_b), local, false);
    if (live && lane == 0u) {
      add_pair(g * params.rows + row, cross_a, select(0.0, own.y, use_a), use_a && (broken(own) || broken(a)));
      if (second) { add_pair((g + 1u) * params.rows + row, cross_b, select(0.0, own.y, use_b), use_b && (broken(own) || broken(c))); }
    }
  }
}
