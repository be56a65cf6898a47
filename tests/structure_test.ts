/** The shape of the source: layers, cycles, what may touch Deno, and what may be imported from where. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { fileURLToPath } from "node:url";
import deno from "../deno.json" with { type: "json" };
import { permissionTest } from "./support/permissions.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** From top to bottom, a layer each: a file imports from its own area and from those below. */
const AREAS: readonly string[] = [
  "mod.ts",
  "lib/search",
  "lib/embed",
  "lib/export",
  "lib/session",
  "lib/node",
  "lib/load",
  "lib/prove",
  "lib/plan",
  "lib/open_model",
  "lib/report",
  "lib/from_config",
  "lib/train",
  "lib/run",
  "lib/draw",
  "lib/non_finite",
  "lib/adapter",
  "lib/eval",
  "lib/loss",
  "lib/optim",
  "lib/ema",
  "lib/augmentation",
  "lib/model",
  "lib/ops",
  "lib/data",
  "lib/comm",
  "lib/io",
  "lib/preset",
  "lib/config",
  "lib/augmentation/options",
  "lib/loss/defaults",
  "lib/model/defaults",
  "lib/model/feature",
  "lib/model/resnet_shape",
  "lib/optim/defaults",
  "lib/diagnosis",
  "lib/gpu",
  "lib/rng",
  "lib/text",
  "lib/words",
  "lib/progress",
  "lib/deps",
  "lib/errors",
  "kernels",
];

/** All else is web standard, so that it runs in a browser. */
const MAY_USE_DENO =
  /^lib\/(adapter|comm|data|io|run|draw|report|embed|search|plan|open_model)\/|^lib\/(open_model|session)\.ts$/;

/** Where npm packages are imported, for everybody else to import from. */
const PACKAGES = /^lib\/(\w+\/)?deps\.ts$/;

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

/** The longest entry of AREAS that is the path, holds it, or names it without its extension. */
function place(path: string): { layer: number; area: string } {
  let best = { layer: -1, area: "" };
  AREAS.forEach((area, layer) => {
    const holds = path === area || path === `${area}.ts` || path.startsWith(`${area}/`);
    if (holds && area.length > best.area.length) best = { layer, area };
  });
  assert.ok(best.area, `${path} is in no area: add it to AREAS, or import something else`);
  return best;
}

/** The command that a file of scripts/ belongs to: its folder, or its own name. */
const commandOf = (path: string) => path.split("/")[1].replace(/\.ts$/, "");

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

const sources = new Map<string, Map<string, Import[]>>();

/** Every file of a folder with what it imports; of "lib" with mod.ts. */
function imports(folder = "lib"): Map<string, Import[]> {
  const known = sources.get(folder);
  if (known) return known;
  const names = filesIn(folder).filter((name) => name.endsWith(".ts"));
  if (folder === "lib") names.push("mod.ts");
  const found = new Map(names.map((name) => [name, importsOf(name)]));
  sources.set(folder, found);
  return found;
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

sourceTest("no file imports itself by a detour, types included", () => {
  const files = new Map(
    ["lib", "scripts", "bench"].flatMap((folder) =>
      [...imports(folder)].map(([file, list]) => {
        return [file, list.flatMap(({ path }) => path ?? [])] as const;
      })
    ),
  );
  assert.ok([...files.values()].flat().length > 1000, "hardly an import was found");
  assert.equal(cycleIn(files), undefined);
});

sourceTest("a command imports from its own folder, scripts/common and lib/", () => {
  for (const [file, list] of imports("scripts")) {
    for (const { path } of list) {
      if (!path?.startsWith("scripts/")) {
        assert.ok(!path || /^(lib|deno\.json)/.test(path), `${file} imports ${path}`);
        continue;
      }
      const from = commandOf(file), to = commandOf(path);
      const holds = file === "scripts/hatchling/commands.ts"; // all of them, to run one
      assert.ok(
        to === from || to === "common" || holds && /^scripts\/\w+\/(main|serve)\.ts$/.test(path),
        `${file} imports another command's ${path}`,
      );
    }
  }
});

sourceTest("bench/ imports from itself, scripts/common and lib/", () => {
  for (const [file, list] of imports("bench")) {
    for (const { path } of list) {
      assert.ok(
        !path ||
          /^(bench|lib|scripts\/common|tests\/support|configs)\/|^mod\.ts$|^deno\.json$/.test(path),
        `${file} imports ${path}`,
      );
    }
  }
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

/** What is imported statically from a file on, itself included, types aside. */
function reached(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { path, typeOnly, dynamic } of imports().get(file) ?? []) {
    if (path?.endsWith(".ts") && !typeOnly && !dynamic) reached(path, seen);
  }
  return seen;
}

/** What entry modules import when they use it, in a page too. */
const IN_A_PAGE = [
  "lib/io/checkpoint_format.ts",
  "lib/io/weights.ts",
  "lib/load/decode.ts",
  "lib/load/source.ts",
  "lib/open_model/model_hash.ts",
  "lib/open_model/whitening_file.ts",
];

sourceTest(
  "a browser can import every entry module: what needs a disk is imported when used",
  () => {
    const entries = Object.values(deno.exports).map((file) => file.slice(2));
    for (const entry of [...entries, ...IN_A_PAGE]) {
      const files = [...reached(entry)];
      for (const file of files) {
        const bad = imports().get(file)!.find(({ specifier, typeOnly, dynamic }) =>
          specifier.startsWith("node:") && !typeOnly && !dynamic
        );
        assert.equal(bad, undefined, `${entry} reaches ${file}, which imports ${bad?.specifier}`);
      }
    }
    assert.ok(reached("mod.ts").size > 80 && !reached("mod.ts").has("lib/data/open.ts"));
  },
);

sourceTest("lib/ imports by relative path, node: or versioned npm: in its package files", () => {
  for (const [file, list] of imports()) {
    for (const { specifier, path, dynamic } of list) {
      if (path || specifier.startsWith("node:")) continue;
      // An importer by URL does not see deno.json: no bare names, and whole versions.
      assert.match(specifier, /^npm:(@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+(\/|$)/, `in ${file}`);
      const allowed = dynamic || PACKAGES.test(file);
      assert.ok(allowed, `${file} imports ${specifier}: let a deps.ts do it`);
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
  assert.throws(() => place("scripts/train.ts"), /in no area/);
  assert.deepEqual(place("lib/gpu/gpu.ts").area, "lib/gpu");
  assert.deepEqual(place("lib/loss.ts").area, "lib/loss");
  assert.deepEqual(functionsOf("fn a() {\n  x; // y\n}\nfn b() {\n}\n"), [
    "fn a() { x; }",
    "fn b() { }",
  ]);
});
