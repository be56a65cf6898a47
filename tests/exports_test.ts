/** The public API: what may be imported, from where, and what examples of it import. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import deno from "../deno.json" with { type: "json" };
import { permissionTest } from "./support/permissions.ts";
import { HANG_MS } from "./support/hang.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const EXPORTS: Record<string, string> = deno.exports;
const FILES = Object.values(EXPORTS);

/** A path of `exports` as docs write it. */
const specifierOf = (path: string) => path.replace(/^\./, deno.name);

/** Parts of the machinery: nobody could rely on their staying as they are. */
const INTERNAL = [
  "KernelCache",
  "Layout",
  "Lifetime",
  "Pipeline",
  "Plan",
  "Recorder",
  "Slot",
  "Span",
  "Storage",
  "block",
  "flagNonFinite",
  "isDecayed",
  "planMemory",
  "readWeights",
  "tableOf",
  "tensorsIn",
];

interface Documented {
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}
interface Declaration {
  jsDoc?: { tags?: { kind: string; doc?: string }[] };
}

/** What Deno says of a program, as text. */
async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Names of a module, types included, each with its categories. */
async function namesOf(file: string): Promise<Map<string, string[]>> {
  const { nodes }: Documented = JSON.parse(await run("doc", "--json", file));
  const [{ symbols }] = Object.values(nodes);
  return new Map(symbols.map(({ name, declarations }) => [
    name,
    declarations.flatMap(({ jsDoc }) => jsDoc?.tags ?? [])
      .flatMap(({ kind, doc }) => kind === "category" ? doc!.trim() : []),
  ]));
}

let documented: Promise<Map<string, Map<string, string[]>>> | undefined;
/** The names of every entry module. */
async function names() {
  const all = () => Promise.all(FILES.map(async (file) => [file, await namesOf(file)] as const));
  return await (documented ??= all().then((found) => new Map(found)));
}

Deno.test("a sub-path is the name of a module of lib/", () => {
  assert.equal(EXPORTS["."], "./mod.ts");
  for (const [path, file] of Object.entries(EXPORTS)) {
    if (path !== ".") assert.equal(file, `./lib/${path.slice(2)}.ts`);
  }
  const task = deno.tasks["docs:lint"];
  assert.equal(task, `deno doc --lint ${FILES.map((file) => file.slice(2)).join(" ")}`);
});

permissionTest(
  ["read", "write", "run"],
  "every sub-path can be imported without permissions",
  async () => {
    const code = FILES.map((file) =>
      `await import(${JSON.stringify(new URL(`.${file}`, import.meta.url))});`
    );
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(path, code.join("\n"));
      await run("run", "--no-prompt", "--no-config", path);
    } finally {
      await Deno.remove(path);
    }
  },
);

permissionTest(
  ["read", "run"],
  "mod.ts is short, and every name of it has its category",
  async () => {
    const front = (await names()).get("./mod.ts")!;
    assert.ok(front.size > 50 && front.size <= 80, `mod.ts exports ${front.size} names`);
    const categories = new Set([...front.values()].flat());
    const wanted = ["Data", "Evaluation", "Files", "GPU", "Loss", "Model", "Training"];
    assert.deepEqual([...categories].sort(), wanted);
    const without = [...front].filter(([, of]) => of.length !== 1).map(([name]) => name);
    assert.deepEqual(without, []);
  },
);

permissionTest(
  ["read", "run"],
  "all of mod.ts is in a sub-path; internals are in none",
  async () => {
    const all = new Map([...await names()].map(([file, found]) => [file, [...found.keys()]]));
    const elsewhere = new Set(FILES.slice(1).flatMap((file) => all.get(file)!));
    // The base of all errors comes with the front door alone.
    const only = all.get("./mod.ts")!.filter((name) => !elsewhere.has(name));
    assert.deepEqual(only, ["HatchlingError"]);
    for (const [file, found] of all) {
      for (const name of INTERNAL) assert.ok(!found.includes(name), `${file} exports ${name}`);
    }
  },
);

/** A docstring and the name that it describes. */
const DESCRIBED =
  /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export (?:async |abstract )?(?:function\*?|class|const|interface|type) (\w+)/g;
/** An import within a docstring. */
const IMPORT = /^ \* import (?:type )?\{([^}]*)\} from "([^"]*)";$/gm;

permissionTest(["read", "run"], "examples of the public API import as a user would", async () => {
  const all = await names();
  const known = new Map(
    Object.entries(EXPORTS).map(([path, file]) => [specifierOf(path), all.get(file)!]),
  );
  const anywhere = new Set(FILES.flatMap((file) => [...all.get(file)!.keys()]));
  let found = 0;
  const check = (where: string, text: string) => {
    for (const [, imported, from] of text.matchAll(IMPORT)) {
      const exported = known.get(from);
      assert.ok(exported, `${where} imports from ${from}`);
      for (const name of imported.split(",").map((word) => word.replace(/type /, "").trim())) {
        if (!name) continue;
        found++;
        assert.ok(exported.has(name), `${where} imports ${name}, which ${from} does not export`);
      }
    }
  };
  for (const file of readdirSync(`${ROOT}/lib`, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const text = readFileSync(`${ROOT}/lib/${file}`, "utf8");
    for (const [, docstring, name] of text.matchAll(DESCRIBED)) {
      if (anywhere.has(name)) check(`the example of ${name} in lib/${file}`, docstring);
    }
  }
  for (const file of FILES) {
    const [header] = readFileSync(`${ROOT}/${file}`, "utf8").match(/\/\*\*[^]*?\*\//)!;
    assert.match(header, /@module/, `${file} does not say what it is for`);
    assert.match(header, /```ts/, `${file} shows no example`);
    check(file, header);
  }
  assert.ok(found > 80, `only ${found} imports found`);
});

permissionTest(
  ["read", "write", "run"],
  "who imports a module needs none of this project's settings to check its types",
  async () => {
    const config = await Deno.makeTempFile({ suffix: ".json" });
    try {
      await Deno.writeTextFile(config, "{}");
      await run("check", "--quiet", "--config", config, ...new Set(FILES));
    } finally {
      await Deno.remove(config);
    }
  },
);
