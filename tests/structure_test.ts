/** The shape of the source: layers, cycles, what may touch Deno, and what may be imported from where. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { permissionTest } from "./support/permissions.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** From top to bottom: a file imports from its own layer and from those below. */
const LAYERS: readonly (readonly string[])[] = [
  ["mod.ts"],
  ["lib/train", "lib/non_finite.ts", "lib/gpu/bootstrap.ts"],
  [
    "lib/augmentation",
    "lib/config",
    "lib/data",
    "lib/diagnosis",
    "lib/ema",
    "lib/eval",
    "lib/io",
    "lib/loss",
    "lib/model",
    "lib/optim",
    "lib/preset",
  ],
  ["lib/ops"],
  ["lib/gpu"],
  ["lib/deps", "lib/errors", "lib/rng", "lib/text"],
  ["kernels"],
];

/** All else is web standard, so that it runs in a browser. */
const MAY_USE_DENO = /^lib\/(data|io)\/|^lib\/gpu\/bootstrap\.ts$/;

/** Where npm packages are imported, for everybody else to import from. */
const PACKAGES = ["lib/deps.ts", "lib/config/deps.ts"];

interface Import {
  /** As written. */
  specifier: string;
  /** Path from the root, of a relative import. */
  path?: string;
  /** Erased before the code runs. */
  typeOnly: boolean;
  /** `import()` rather than a declaration. */
  dynamic: boolean;
}

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const filesIn = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`).sort();

/** Without comments: JSDoc shows imports and Deno in its examples. */
const codeOf = (path: string) =>
  read(path).replace(/^\s*\/\*[^]*?\*\//gm, "").replace(/(^|\s)\/\/ .*$/gm, "");

function importsOf(file: string): Import[] {
  const code = codeOf(file);
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean, dynamic: boolean) => {
    const path = /^\.\.?\//.test(specifier) ? normalize(join(dirname(file), specifier)) : undefined;
    found.push({ specifier, path, typeOnly, dynamic });
  };
  const declaration = /^(?:import|export)\s+(?:(type\s)?([^;"'=]*?)\sfrom\s+)?["']([^"']+)["']/gm;
  for (const [, type, names = "", specifier] of code.matchAll(declaration)) {
    const list = names.match(/^\s*{([^]*)}\s*$/)?.[1].split(",").map((s) => s.trim()).filter(
      Boolean,
    );
    add(specifier, !!type || !!list?.length && list.every((s) => s.startsWith("type ")), false);
  }
  for (const [, specifier] of code.matchAll(/\bimport\(\s*["']([^"']+)["']/g)) {
    add(specifier, false, true);
  }
  return found;
}

/** The longest entry of LAYERS that is the path, holds it, or names it without its extension. */
function place(path: string): { layer: number; area: string } {
  let best = { layer: -1, area: "" };
  LAYERS.forEach((areas, layer) => {
    for (const area of areas) {
      const holds = path === area || path === `${area}.ts` || path.startsWith(`${area}/`);
      if (holds && area.length > best.area.length) best = { layer, area };
    }
  });
  assert.ok(best.area, `${path} is in no layer: add it to LAYERS, or import something else`);
  return best;
}

/** The first cycle of a graph, as "a → b → a". */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>();
  const walk = (node: string, path: string[]): string | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node].join(" → ");
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const cycle = walk(next, [...path, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = walk(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}

let sources: Map<string, Import[]> | undefined;

/** Every file of lib/, and mod.ts, with what it imports. */
function imports(): Map<string, Import[]> {
  const names = () => [
    ...filesIn("lib").filter((name) => name.endsWith(".ts")),
    ...readdirSync(ROOT).filter((name) => name === "mod.ts"),
  ];
  return sources ??= new Map(names().map((name) => [name, importsOf(name)]));
}

function sourceTest(name: string, fn: () => void): void {
  permissionTest(["read"], name, fn);
}

sourceTest("lib/ imports only downwards", () => {
  assert.ok(imports().size > 50, "hardly a file was found");
  for (const [file, list] of imports()) {
    const from = place(file);
    for (const { path } of list) {
      if (!path) continue;
      const to = place(path);
      assert.ok(to.layer >= from.layer, `${file} imports upwards: ${path}`);
    }
  }
});

sourceTest("lib/ has no cycle of imports", () => {
  const files = new Map([...imports()].map(([file, list]) => {
    return [file, list.filter((i) => i.path && !i.typeOnly).map((i) => i.path!)];
  }));
  assert.ok([...files.values()].flat().length > 150, "hardly an import was found");
  assert.equal(cycleIn(files), undefined);
});

sourceTest("areas of lib/ have no cycle either, types included", () => {
  const areas = new Map<string, string[]>();
  for (const [file, list] of imports()) {
    const { area } = place(file);
    const others = list.flatMap(({ path }) => path ? place(path).area : []);
    const known = areas.get(area) ?? [];
    areas.set(area, [...known, ...others.filter((other) => other !== area)]);
  }
  assert.equal(cycleIn(areas), undefined);
});

sourceTest("Deno is used only where it may be", () => {
  let uses = 0;
  for (const file of imports().keys()) {
    if (!/\bDeno\s*[.?[]/.test(codeOf(file))) continue;
    uses++;
    assert.match(file, MAY_USE_DENO, `${file} uses Deno: it would not run in a browser`);
  }
  assert.ok(uses > 0, "no use was found at all");
});

sourceTest("lib/ imports by relative path, node: or versioned npm: in its package files", () => {
  for (const [file, list] of imports()) {
    for (const { specifier, path, dynamic } of list) {
      if (path || specifier.startsWith("node:")) continue;
      // An importer by URL does not see deno.json: no bare names, and whole versions.
      assert.match(specifier, /^npm:(@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+(\/|$)/, `in ${file}`);
      const allowed = dynamic || PACKAGES.includes(file);
      assert.ok(allowed, `${file} imports ${specifier}: let ${PACKAGES.join(" or ")} do it`);
    }
  }
});

sourceTest("every kernel is imported statically, as text, and starts with its contract", () => {
  const kernels = filesIn("kernels").filter((name) => name !== "kernels/shared");
  assert.ok(kernels.length > 20);
  const statically = new Set<string>();
  for (const file of imports().keys()) {
    const pattern = /^import \w+ from "([^"]+\.wgsl)" with { type: "text" };$/gm;
    for (const [, specifier] of codeOf(file).matchAll(pattern)) {
      statically.add(normalize(join(dirname(file), specifier)));
    }
  }
  for (const kernel of kernels) {
    assert.match(kernel, /\.wgsl$/, "kernels/ holds WGSL only");
    assert.ok(statically.has(kernel), `no file of lib/ imports ${kernel} statically`);
    const header = read(kernel).match(/^(\/\/.*\n)+/)?.[0] ?? "";
    assert.match(header, /^\/\/ \S/, `${kernel} does not start with what it is for`);
    if (kernel.startsWith("kernels/shared/")) continue;
    assert.match(header, /Launch:/, `${kernel} does not say how it is launched`);
  }
  for (const kernel of statically) assert.ok(kernels.includes(kernel), `${kernel} does not exist`);
});

/** The functions of a WGSL text, white space and comments aside. */
function functionsOf(wgsl: string): string[] {
  const code = wgsl.replace(/\/\/.*$/gm, "");
  return [...code.matchAll(/^fn \w+[^]*?^}/gm)].map(([text]) => text.replace(/\s+/g, " "));
}

sourceTest("no function of kernels/ is written twice", () => {
  const places = new Map<string, string>();
  for (const file of filesIn("kernels").filter((name) => name.endsWith(".wgsl"))) {
    for (const text of functionsOf(read(file))) {
      const other = places.get(text);
      assert.equal(other, undefined, `${file} and ${other} hold ${text.slice(0, 60)}…: share it`);
      places.set(text, file);
    }
  }
  assert.ok(places.size > 100, "hardly a function was found");
});

Deno.test("the checks of this file can fail", () => {
  assert.equal(cycleIn(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]])), "b → c → b");
  assert.equal(cycleIn(new Map([["a", ["b", "c"]], ["b", ["c"]]])), undefined);
  assert.throws(() => place("scripts/train.ts"), /in no layer/);
  assert.deepEqual(place("lib/gpu/bootstrap.ts"), { layer: 1, area: "lib/gpu/bootstrap.ts" });
  assert.deepEqual(place("lib/gpu/gpu.ts").area, "lib/gpu");
  assert.deepEqual(place("lib/loss.ts").area, "lib/loss");
  assert.deepEqual(functionsOf("fn a() {\n  x; // y\n}\nfn b() {\n}\n"), [
    "fn a() { x; }",
    "fn b() { }",
  ]);
});
