// Walks rows [R, width]: an invocation calls element(row, col) for every ceil(width / 4)-th column of one row.
// Needs `rows` and `width` in Params. Launch: grid(R · ceil(width / 4), 64).

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.rows) { return; }
  for (var k = 0u; k < 4u; k++) {
    let col = i % step + k * step;
    if (col < width) { element(row, col); }
  }
}
