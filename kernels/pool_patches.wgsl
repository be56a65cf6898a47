// Averages patch tokens over the cells of a grid, as adaptive_avg_pool2d of PyTorch cuts it.
//
// tokens [B, 1 + rows · cols, D], the class token first, → out [B, down · across, D], cells row by row. Of n cells
// along m patches, cell i covers floor(i · m / n) to ceil((i + 1) · m / n): neighbours share a patch where n does not
// divide m.
// Launch: grid(n, 64), n elements of `out`.

struct Params { n: u32, dim: u32, rows: u32, cols: u32, down: u32, across: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// The first patch of cell i of n along m patches, and the one after its last.
fn cell(i: u32, n: u32, m: u32) -> vec2u {
  return vec2u(i * m / n, ((i + 1u) * m + n - 1u) / n);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let d = i % params.dim;
  let at = i / params.dim;
  let across = cell(at % params.across, params.across, params.cols);
  let down = cell(at / params.across % params.down, params.down, params.rows);
  let image = at / (params.across * params.down);
  let first = image * (1u + params.rows * params.cols) + 1u;
  var sum = 0.0;
  for (var r = down.x; r < down.y; r++) {
    // Line by line, which keeps more digits of long sums.
    var line = 0.0;
    for (var c = across.x; c < across.y; c++) {
      line += tokens[(first + r * params.cols + c) * params.dim + d];
    }
    sum += line;
  }
  out[i] = sum / f32((down.y - down.x) * (across.y - across.x));
}
