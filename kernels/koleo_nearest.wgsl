// The nearest other row of each row, and its share of the KoLeo loss.
//
// pairs [R, B] as koleo_pairs left them → nearest [R] (u32, a row of x: the smallest 1 − x · x, the lowest
// among equals), share [R] = −scale · log(d + eps), slope [R] = scale / (d (d + eps)) with d the distance to
// the nearest; slope is 0 where d = 0, and both are 0 in groups of one row, where nearest is the row itself.
// Where the distance is not finite, the share is NaN, for it is
// stored by its bits (bits.wgsl).
// Launch: 64 invocations, LANES of them per row: grid(R · LANES, 64). LANES divides 64.

struct Params { rows: u32, group: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pairs: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(3) var<storage, read_write> share: array<u32>;
@group(0) @binding(4) var<storage, read_write> slope: array<f32>;

override LANES: u32 = 1u;
var<workgroup> value: array<f32, 64>;
var<workgroup> place: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  let row = min(i / LANES, params.rows - 1u);
  let lane = i % LANES;
  let own = row % params.group;
  // A row of NaN is near nothing, and stays with itself, at a distance of NaN.
  var at = own;
  var best = 1e30;
  for (var j = lane; j < params.group; j += LANES) {
    let apart = pairs[row * params.group + j].x;
    if (j != own && apart < best) {
      best = apart;
      at = j;
    }
  }
  if (LANES > 1u) {
    value[local] = best;
    place[local] = at;
    workgroupBarrier();
    for (var k = 0u; k < LANES; k++) {
      let v = value[local - lane + k];
      let p = place[local - lane + k];
      if (v < best || (v == best && p < at)) {
        best = v;
        at = p;
      }
    }
  }
  if (lane != 0u || i / LANES >= params.rows) { return; }
  let square = pairs[row * params.group + at].y;
  let d = sqrt(square);
  let alone = params.group == 1u;
  nearest[row] = row - own + at;
  share[row] = bits_or_nan(select(-params.scale * log(d + params.eps), 0.0, alone), is_odd(bitcast<u32>(square)));
  slope[row] = select(params.scale / (d * (d + params.eps)), 0.0, alone || d == 0.0);
}
