// The matrix that makes a convolution a matmul, read in place out of pictures [B, height, width, channels].
//
// A row is a place of a grid, `grid` = rows · grid_width places a picture; a column is a tap of the side × side window
// and a channel, ((dy · side) + dx) · channels + ch. Outside of the picture there are zeros.
// BACK false: the grid is the output's, and the pictures its input: y · stride + dy − pad.
// BACK true: the grid is the input's, and the pictures gradients of the output: (y + pad − dy) / stride, where that
// is whole.
// Needs source(i), vec4 i of the pictures. Nothing branches: this is inlined dozens of times, and SwiftShader's compiler
// does not end on that many branches, taken or not.

override BACK: bool = false;

// x / d and x % d, for quotients below 2^21: integer division is slow on GPUs, and lane by lane on software adapters.
fn divide(x: u32, d: u32) -> vec2u {
  var q = u32(f32(x) * (1.0 / f32(d)));
  q = select(q, q - 1u, q * d > x);
  q = select(q, q + 1u, x - q * d >= d);
  return vec2u(q, x - q * d);
}

// Picture, y and x of a row.
fn place(row: u32) -> vec3u {
  let picture = divide(row, params.grid);
  let yx = divide(picture.y, params.grid_width);
  return vec3u(picture.x, yx);
}

// dy, dx and channel of a column.
fn tap(column: u32) -> vec3u {
  let which = divide(column, params.channels);
  return vec3u(divide(which.x, params.side), which.y);
}

// Where a place's tap lies, as the index of its channel; −1 outside.
fn locate(at: vec3u, window: vec3u) -> i32 {
  let stride = i32(params.stride);
  let pad = i32(params.pad);
  let ahead = vec2i(at.yz) * stride + vec2i(window.xy) - pad;
  let far = vec2i(at.yz) + pad - vec2i(window.xy);
  let whole = vec2u(max(far, vec2i()));
  let y = divide(whole.x, params.stride);
  let x = divide(whole.y, params.stride);
  let yx = select(ahead, vec2i(i32(y.x), i32(x.x)), BACK);
  let size = vec2i(i32(params.height), i32(params.width));
  let fits = vec4<bool>(yx >= vec2i(), yx < size);
  let even = vec4<bool>(far >= vec2i(), vec2u(y.y, x.y) == vec2u());
  let inside = all(fits & (even | vec4<bool>(!BACK)));
  let pixel = (i32(at.x) * size.x + yx.x) * size.y + yx.y;
  return select(-1, pixel * i32(params.channels) + i32(window.z), inside);
}
