// What a feature is made of: the class token and means of patch tokens over cells, side by side; and the way back.
//
// Tokens are [B, prefix + rows · cols, D], the class token first; of the prefix, nothing else is in a feature. A feature is F = (cls + cells²) · D numbers: the class
// token where cls is 1, then the cells × cells means, row by row. Of n cells along m patches, cell i covers
// floor(i · m / n) to ceil((i + 1) · m / n), as adaptive_avg_pool2d of PyTorch: neighbours share a patch where n does
// not divide m, and patches repeat where there are fewer.
//
// Image i has row first + i · stride of the features [S, F].
// BACKWARD false: out, those rows of it, = scale · features of src, the tokens.
// BACKWARD true: out, the gradient of the tokens, = scale · the adjoint applied to those rows of src.
// ACCUMULATE: added to what `out` holds.
// Launch: grid(n, 64), n elements of the B features, or with BACKWARD of the tokens.

struct Params { n: u32, dim: u32, rows: u32, cols: u32, cls: u32, cells: u32, first: u32, stride: u32, scale: f32, prefix: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<src_real>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

override BACKWARD: bool = false;
override ACCUMULATE: bool = false;

// Of n cells along m patches: the first patch of cell i, and the one after its last. With n patches along m cells, the
// cells that patch i belongs to.
fn cell(i: u32, n: u32, m: u32) -> vec2u {
  return vec2u(i * m / n, ((i + 1u) * m + n - 1u) / n);
}

// Element d of part p of an image's feature.
fn pooled(image: u32, part: u32, d: u32) -> f32 {
  let first = image * (params.prefix + params.rows * params.cols);
  if (part < params.cls) { return f32(src[first * params.dim + d]); }
  let at = part - params.cls;
  let down = cell(at / params.cells, params.cells, params.rows);
  let across = cell(at % params.cells, params.cells, params.cols);
  var sum = 0.0;
  for (var r = down.x; r < down.y; r++) {
    // Line by line, which keeps more digits of long sums.
    var line = 0.0;
    for (var c = across.x; c < across.y; c++) {
      line += f32(src[(first + params.prefix + r * params.cols + c) * params.dim + d]);
    }
    sum += line;
  }
  return sum / f32((down.y - down.x) * (across.y - across.x));
}

// Element d of the gradient of an image's token.
fn spread(image: u32, token: u32, d: u32) -> f32 {
  let first = (params.first + image * params.stride) * (params.cls + params.cells * params.cells);
  if (token < params.prefix) {
    if (token >= params.cls) { return 0.0; }
    return f32(src[first * params.dim + d]);
  }
  let rows = cell((token - params.prefix) / params.cols, params.rows, params.cells);
  let cols = cell((token - params.prefix) % params.cols, params.cols, params.cells);
  var sum = 0.0;
  for (var i = rows.x; i < rows.y; i++) {
    let down = cell(i, params.cells, params.rows);
    for (var j = cols.x; j < cols.y; j++) {
      let across = cell(j, params.cells, params.cols);
      let count = f32((down.y - down.x) * (across.y - across.x));
      sum += f32(src[(first + params.cls + i * params.cells + j) * params.dim + d]) / count;
    }
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  let d = i % params.dim;
  let at = i / params.dim;
  var to = i;
  var v: f32;
  if (BACKWARD) {
    let tokens = params.prefix + params.rows * params.cols;
    v = params.scale * spread(at / tokens, at % tokens, d);
  } else {
    let parts = params.cls + params.cells * params.cells;
    v = params.scale * pooled(at / parts, at % parts, d);
    to = ((params.first + at / parts * params.stride) * parts + at % parts) * params.dim + d;
  }
  if (ACCUMULATE) { out[to] += v; } else { out[to] = v; }
}
