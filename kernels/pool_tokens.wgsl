// What a feature is made of: the class token and means of patch tokens over cells, side by side; and the way back.
//
// Tokens are [B, prefix + rows · cols, D], the class token first; of the prefix, nothing else is in a feature. A feature
// is [cls + cells², D]: the class token where cls is 1, then the cells × cells means, row by row. Of n cells along m
// patches, cell i covers floor(i · m / n) to ceil((i + 1) · m / n), as adaptive_avg_pool2d of PyTorch: neighbours share
// a patch where n does not divide m, and patches repeat where there are fewer.
//
// Image i has row first + i · stride of the features [S, F].
// BACKWARD false: out, those rows of it, = scale · features of src, the tokens.
// BACKWARD true: out, the gradient of the tokens, = scale · the adjoint applied to those rows of src.
// ACCUMULATE: added to what `out` holds.
// VEC: D is a multiple of 4, and an element below is a vec4; `width` is D in elements.
// Launch: grid(n · ceil(width / 4), 64), n parts of the B features, or with BACKWARD tokens. An invocation takes every
// ceil(width / 4)-th element of one of them, as finding its place costs more than an element.

struct Params { n: u32, width: u32, rows: u32, cols: u32, cls: u32, cells: u32, first: u32, stride: u32, scale: f32, prefix: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<src_vec4>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
alias out_real = f32;

override VEC: bool = false;
override BACKWARD: bool = false;
override ACCUMULATE: bool = false;

// Of n cells along m patches: the first patch of cell i, and the one after its last. With n patches along m cells, the
// cells that patch i belongs to.
fn cell(i: u32, n: u32, m: u32) -> vec2u {
  return vec2u(i * m / n, ((i + 1u) * m + n - 1u) / n);
}

// Patches of cell i of a side.
fn patches_of(i: u32, patches: u32) -> f32 {
  let range = cell(i, params.cells, patches);
  return f32(range.y - range.x);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let width = params.width;
  let step = (width + 3u) / 4u;
  let row = i / step;
  if (row >= params.n) { return; }
  let tokens = params.prefix + params.rows * params.cols;
  let parts = params.cls + params.cells * params.cells;
  let image = row / select(parts, tokens, BACKWARD);
  let at = row - image * select(parts, tokens, BACKWARD);
  let feature = (params.first + image * params.stride) * parts;

  // What is summed up: the class token or its gradient, alone; else lines `down` and columns `across` of what lies in
  // `src` from its row `begin` on, `pitch` of them a line. Of other tokens of the prefix, nothing.
  var begin = select(image * tokens, feature, BACKWARD);
  var pitch = 1u;
  var down = vec2u(0u, 1u);
  var across = vec2u(0u, 1u);
  let before = select(params.cls, params.prefix, BACKWARD);
  let is_patch = at >= before;
  if (is_patch) {
    let side = select(params.cells, params.cols, BACKWARD);
    let line = (at - before) / side;
    let place = at - before - line * side;
    if (BACKWARD) {
      begin += params.cls;
      pitch = params.cells;
      down = cell(line, params.rows, params.cells);
      across = cell(place, params.cols, params.cells);
    } else {
      begin += params.prefix;
      pitch = params.cols;
      down = cell(line, params.cells, params.rows);
      across = cell(place, params.cells, params.cols);
    }
  } else if (at >= params.cls) {
    down.y = 0u;
  }
  let count = f32((down.y - down.x) * (across.y - across.x));
  let to = select(feature + at, row, BACKWARD) * width;

  for (var k = 0u; k < 4u; k++) {
    let c = i - row * step + k * step;
    if (c < width) {
      var sum = vec4f();
      for (var y = down.x; y < down.y; y++) {
        // Line by line, which keeps more digits of long sums.
        var line = vec4f();
        for (var x = across.x; x < across.y; x++) {
          let v = source((begin + y * pitch + x) * width + c);
          if (BACKWARD && is_patch) {
            line += v / (patches_of(y, params.rows) * patches_of(x, params.cols));
          } else {
            line += v;
          }
        }
        sum += line;
      }
      if (!BACKWARD && is_patch) { sum /= count; }
      sum *= params.scale;
      if (ACCUMULATE) { sum += load_out(to + c); }
      put(to + c, sum);
    }
  }
}
