/** What the package has of wgpu-matrix computes what that computes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { mat3, vec2 } from "../../lib/deps.ts";
import { callsIn, matrixModule } from "../../scripts/common/bundle/matrices.ts";
import { ROOT } from "../../scripts/common/bundle/tools.ts";
import { permissionTest } from "../support/permissions.ts";

/** A module of the kind, with a function that needs another. */
const MODULE = `
function getAPIImpl$1(Ctor) {
    function create(x) {
        return new Ctor(x);
    }
    const make = create;
    function pair(x) {
        return make(2).fill(x);
    }
    function length(v) {
        return vec3.len(v);
    }
    return {
        create,
        pair,
    };
}
        vec2: getAPI$1(Vec2Ctor),
`;

Deno.test("functions are kept with those that they call", async () => {
  const module = (names: string[]) => matrixModule(MODULE, new Map([["vec2", new Set(names)]]));
  const code = module(["pair"]);
  assert.doesNotMatch(code, /length/);
  const { vec2 } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  assert.deepEqual(vec2.pair(3), Float32Array.of(3, 3));
  assert.throws(() => module(["none"]), /Expected vec2\.none in wgpu-matrix/);
  assert.throws(() => module(["length"]), /vec2\.length without others/);
});

permissionTest(["read"], "what the library calls of it is there", async () => {
  const used = await callsIn(join(ROOT, "lib"), ["mat3", "vec2"]);
  assert.ok([...used.values()].every(({ size }) => size > 0));
  const there: Record<string, object> = { mat3, vec2 };
  for (const [namespace, names] of used) {
    for (const name of names) assert.ok(name in there[namespace], `${namespace}.${name}`);
  }
});
