/**
 * The package's types.
 *
 * @module
 */
import { dirname, join, relative } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { shown, shownLines } from "../../lib/text.ts";
import { packagesIn, ROOT, type Tools } from "../common/bundle/tools.ts";

/** Seconds until the compiler is stopped. */
const LIMIT = 300;

/** What modules are that no TypeScript is in. */
const AMBIENT = `declare module "*.wgsl" { const text: string; export default text; }
declare module "*.ttf" { const bytes: Uint8Array<ArrayBuffer>; export default bytes; }
declare module "*.wasm" { const bytes: Uint8Array<ArrayBuffer>; export default bytes; }
declare module "npm:imagescript@*" { const codec: { init(): Promise<any> }; export default codec; }
declare module "npm:@jsquash/webp@*" { const make: (options: object) => unknown; export default make; }
declare module "npm:csv-parse@*" {
  export class CsvError extends Error { code: string; [more: string]: any; }
  export const parse: (text: string, options: object) => any;
}
`;

/** A relative import within declarations. */
const RELATIVE = /((?:from|import)\s*\(?\s*)(["'])(\.{1,2}\/[^"']+)\.ts\2/g;

/**
 * Writes declarations of modules and of all that they mention, in the folders of the source.
 *
 * @param modules Paths from the root: "lib/gpu.ts".
 * @param out Folder of the declarations.
 * @throws {HatchlingError} When the compiler finds fault with them.
 */
export async function declarations(
  { folder, tsc }: Tools,
  modules: readonly string[],
  out: string,
): Promise<void> {
  const npm = join(folder, "node_modules"), versions = await packagesIn(join(ROOT, "lib"));
  const paths = Object.fromEntries(
    Object.entries(versions).flatMap(([name, version]) => [
      [`npm:${name}@${version}`, [join(npm, name)]],
      [`npm:${name}@${version}/*`, [join(npm, name, "*")]],
    ]),
  );
  await Deno.writeTextFile(join(folder, "ambient.d.ts"), AMBIENT);
  const config = {
    compilerOptions: {
      allowImportingTsExtensions: true,
      declaration: true,
      emitDeclarationOnly: true,
      lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
      module: "esnext",
      moduleResolution: "bundler",
      noImplicitOverride: true,
      outDir: out,
      paths,
      rootDir: ROOT,
      skipLibCheck: true,
      strict: true,
      target: "esnext",
      typeRoots: [join(npm, "@types")],
      useUnknownInCatchVariables: false, // as Deno has it
      types: ["deno", "node", join(npm, "@webgpu/types")],
    },
    files: [
      join(folder, "ambient.d.ts"),
      ...modules.map((path) => join(ROOT, path)),
    ],
  };
  const project = join(folder, "tsconfig.json");
  await Deno.writeTextFile(project, JSON.stringify(config, null, 2));
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", tsc, "--project", project],
    cwd: folder,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(1000 * LIMIT),
  }).output();
  if (code !== 0) {
    const faults = new TextDecoder().decode(stdout).trim().split("\n");
    throw new HatchlingError(
      `Expected sound types but found ${faults.length} faults:\n  ${
        shownLines(faults.slice(0, 20).join("\n  "))
      }`,
    );
  }
  const reached = new Set<string>();
  for (const path of modules) {
    await reach(join(out, path.replace(/\.ts$/, ".d.ts")), reached);
  }
  await finish(out, reached);
}

/** The declarations that a file mentions, itself included. */
async function reach(file: string, seen: Set<string>): Promise<void> {
  if (seen.has(file)) return;
  seen.add(file);
  for (const [, , , path] of (await Deno.readTextFile(file)).matchAll(RELATIVE)) {
    await reach(join(dirname(file), `${path}.d.ts`), seen);
  }
}

/**
 * What nobody reaches goes; imports end with .js.
 *
 * @throws {HatchlingError} When types of another package are reached: this one needs none.
 */
async function finish(folder: string, reached: ReadonlySet<string>): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) await finish(path, reached);
    else if (!reached.has(path)) await Deno.remove(path);
    else {
      const text = (await Deno.readTextFile(path)).replace(RELATIVE, "$1$2$3.js$2");
      const [other] = text.match(/^(?! \*).*["'](?:npm|node):[^"']+/m) ?? [];
      if (other) {
        throw new HatchlingError(
          `Expected types of the library alone but found ${shown(other)} in ${
            shown(path)
          }: keep it out of what is public`,
        );
      }
      await Deno.writeTextFile(path, text);
    }
  }
}

/** Where the declarations of a module lie within the package. */
export const typesOf = (module: string): string =>
  `./types/${relative(ROOT, join(ROOT, module)).replaceAll("\\", "/").replace(/\.ts$/, ".d.ts")}`;
