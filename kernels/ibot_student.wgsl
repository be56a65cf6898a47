// The student's side of the iBOT loss: loss terms and gradient, where row r of the student meets row r of the teacher.
//
// out [M, C], the student's logits, becomes their gradient:
//   pair[r] = −Σ_k q_k log softmax(s)_k, the bits of a float
//   out = factor · weights[r] · (softmax(s) − q) / student_temp
// with s = out / student_temp and q = softmax((teacher − center) / teacher_temp) (Zhou et al. 2022, arXiv:2111.07832,
// eq. 2). A row of weight 0 gets 0, whatever it holds.
// student_state, teacher_state: as dino_stats left them, over all columns of a row; C may be a chunk of
// them, and then every chunk but the first adds to pair.
// VEC: C is a multiple of 4, and rows are walked in vec4s.
// Launch: GROUP invocations, LANES of them per row: grid(M · LANES, GROUP).

struct Params { rows: u32, dim: u32, student_temp: u32, teacher_temp: u32, first: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> teacher: array<vec4f>;
@group(0) @binding(2) var<storage, read> center: array<vec4f>;
@group(0) @binding(3) var<storage, read> student_state: array<vec4f>;
@group(0) @binding(4) var<storage, read> teacher_state: array<vec4f>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(6) var<storage, read> scalars: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;
@group(0) @binding(8) var<storage, read_write> pair: array<u32>;
alias out_real = f32;

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * GROUP + local;
  let live = i / LANES < params.rows;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let width = select(params.dim, params.dim / 4u, VEC);
  let base = row * width;
  let temp = scalars[params.student_temp];
  let teacher_temp = scalars[params.teacher_temp];
  let own = student_state[row];
  let its = teacher_state[row];
  let weight = weights[row];
  let scale = params.factor * weight / temp;
  var sums = vec4f();
  // Without a row of its own a lane reads none: others write theirs meanwhile.
  for (var k = select(width, lane, live); k < width; k += LANES) {
    let down = own.x - load_grad(base + k) / temp;
    let q = target_weight(base, k, teacher_temp, its.x) / its.z;
    sums += q * down;
    put(base + k, select(vec4f(), (exp(-down) / own.z - q) * scale, weight != 0.0));
  }
  let cross = combine(add(sums), local, false);
  if (live && lane == 0u) { add_pair(row, cross, own.y, broken(own) || broken(its)); }
}
