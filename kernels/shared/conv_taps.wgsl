// The matrix that makes a convolution a matmul, read in place out of pictures [B, height, width, channels].
//
// A row is a place of a grid, `grid` = rows · grid_width places a picture; a column is a tap of the side × side window
// and a channel, ((dy · side) + dx) · channels + ch. Outside of the picture there are zeros.
// BACK false: the grid is the output's, and the pictures its input: y · stride + dy − pad.
// BACK true: the grid is the input's, and the pictures gradients of the output: (y + pad − dy) / stride, where that
// is whole.
// VEC_TAPS: channels is a multiple of 4, so that four columns are one vec4. Needs source(i), vec4 i of the pictures.

override BACK: bool = false;
override VEC_TAPS: bool = false;

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
  var yx = vec2i(at.yz) * stride + vec2i(window.xy) - pad;
  var inside = true;
  if (BACK) {
    let far = vec2i(at.yz) + pad - vec2i(window.xy);
    let whole = vec2u(max(far, vec2i()));
    let y = divide(whole.x, params.stride);
    let x = divide(whole.y, params.stride);
    yx = vec2i(i32(y.x), i32(x.x));
    inside = all(far >= vec2i()) && y.y == 0u && x.y == 0u;
  }
  let size = vec2i(i32(params.height), i32(params.width));
  inside = inside && all(yx >= vec2i()) && all(yx < size);
  let pixel = (i32(at.x) * size.x + yx.x) * size.y + yx.y;
  return select(-1, pixel * i32(params.channels) + i32(window.z), inside);
}

fn element(at: vec3u, column: u32) -> f32 {
  let i = locate(at, tap(column));
  let index = u32(max(i, 0));
  return select(0.0, source(index >> 2u)[index & 3u], i >= 0);
}

// Four columns of a row from that of `window` on, where channels are whole vec4s.
fn whole_taps(at: vec3u, window: vec3u) -> vec4f {
  let i = locate(at, window);
  return select(vec4f(), source(u32(max(i, 0)) >> 2u), i >= 0);
}

// Four columns of a row, one by one; what lies beyond the last one is any number of the pictures.
fn any_taps(at: vec3u, column: u32, last: u32) -> vec4f {
  return vec4f(element(at, min(column, last)), element(at, min(column + 1u, last)), element(at, min(column + 2u, last)), element(at, min(column + 3u, last)));
}
