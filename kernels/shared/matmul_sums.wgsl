// Sums of op(A) over K, made by a matmul that reads A anyway: sums [splits, M], one for every row of op(A).
//
// SUMS: they are asked for. Those of rows zero_from … zero_end − 1 are 0; with params.sum_add they are added to what
// is there.

@group(0) @binding(7) var<storage, read_write> sums: array<f32>;

override SUMS: bool = false;

// Of rows `row` to row + 3.
fn put_sums(part: u32, row: u32, sum: vec4f) {
  for (var i = 0u; i < min(4u, max(row, params.m) - row); i++) {
    let r = row + i;
    let at = part * params.m + r;
    let v = select(sum[i], 0.0, r >= params.zero_from && r < params.zero_end);
    sums[at] = select(v, v + sums[at], params.sum_add != 0u);
  }
}
