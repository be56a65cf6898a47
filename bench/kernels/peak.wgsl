// The most arithmetic that the adapter does: 24 independent chains of a · x + y per invocation, in registers,
// nothing loaded in between. For the benchmark only.
//
// Bindings: 0 Params, 1 out [invocations].
// Launch: one invocation per element, workgroups of 64. 2 · 24 · 4 · turns operations each.
// Source: this project.

struct Params {
  turns: u32,
  x: f32,
  y: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let start = vec4f(0.1, 0.2, 0.3, 0.4) + f32(id.x) * 1e-6;
  var a = start;
  var b = start + 1.0;
  var c = start + 2.0;
  var d = start + 3.0;
  var e = start + 4.0;
  var f = start + 5.0;
  let x = vec4f(p.x);
  let y = vec4f(p.y);
  for (var i = 0u; i < p.turns; i++) {
    a = a * x + y; b = b * x + y; c = c * x + y; d = d * x + y; e = e * x + y; f = f * x + y;
    a = a * x + y; b = b * x + y; c = c * x + y; d = d * x + y; e = e * x + y; f = f * x + y;
    a = a * x + y; b = b * x + y; c = c * x + y; d = d * x + y; e = e * x + y; f = f * x + y;
    a = a * x + y; b = b * x + y; c = c * x + y; d = d * x + y; e = e * x + y; f = f * x + y;
  }
  if (id.x < arrayLength(&out)) {
    out[id.x] = dot(a + b + c + d + e + f, vec4f(1.0));
  }
}
