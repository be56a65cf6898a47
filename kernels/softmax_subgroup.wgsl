// Softmax as in softmax, and its gradient, where eight lanes hold a row in registers: it is read once.
//
// C is a multiple of 4, at most 32 · PER, PER ≤ 16 vec4s per lane; WHOLE: it is 32 · PER, and no lane is idle.
// Sums run over a lane's vec4s in order, then over their components, then over the lanes.
// Launch: 8 invocations, in one subgroup of at least 8 lanes, for 32 rows: grid(R, 32).

struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

override PER: u32 = 1u;
override WHOLE: bool = false;
override GRAD: bool = false;
const ROWS = 32u;

fn largest(v: vec4f) -> f32 {
  let s = max(max(v.x, v.y), max(v.z, v.w));
  return max(
    max(max(subgroupBroadcast(s, 0u), subgroupBroadcast(s, 1u)), max(subgroupBroadcast(s, 2u), subgroupBroadcast(s, 3u))),
    max(max(subgroupBroadcast(s, 4u), subgroupBroadcast(s, 5u)), max(subgroupBroadcast(s, 6u), subgroupBroadcast(s, 7u))),
  );
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let width = params.cols / 4u;
  let first = (wg.y * num.x + wg.x) * ROWS;
  for (var row = first; row < min(first + ROWS, params.rows); row++) {
    let base = row * width;
    var v: array<vec4f, 16>;
    if (GRAD) {
      var g: array<vec4f, 16>;
      var sum = vec4f();
      for (var k = 0u; k < PER; k++) {
        let c = k * 8u + lane;
        if (WHOLE || c < width) {
          v[k] = x[base + c];
          g[k] = dy[base + c];
          sum += v[k] * g[k];
        }
      }
      let dot = total(sum);
      for (var k = 0u; k < PER; k++) {
        let c = k * 8u + lane;
        if (WHOLE || c < width) { out[base + c] = v[k] * (g[k] - dot); }
      }
    } else {
      var most = vec4f(-3.4028234e38);
      for (var k = 0u; k < PER; k++) {
        let c = k * 8u + lane;
        if (WHOLE || c < width) {
          v[k] = x[base + c];
          most = max(most, v[k]);
        }
      }
      let top = largest(most);
      var sum = vec4f();
      for (var k = 0u; k < PER; k++) {
        if (WHOLE || k * 8u + lane < width) {
          v[k] = exp(v[k] - top);
          sum += v[k];
        }
      }
      let all = total(sum);
      for (var k = 0u; k < PER; k++) {
        let c = k * 8u + lane;
        if (WHOLE || c < width) { out[base + c] = v[k] / all; }
      }
    }
  }
}
