/**
 * What parts of the package cost a page.
 *
 * @module
 */
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import deno from "../../deno.json" with { type: "json" };
import { HatchlingError } from "../../lib/errors.ts";

/** What a page takes. */
interface Part {
  /** Names by sub-path. */
  imports: Readonly<Record<string, string>>;
  /** The most bytes that it may load before it begins, minified and compressed. */
  limit: number;
  /** It is bundled as one file: esbuild makes files of what unused functions would import, too. */
  oneFile?: true;
}

/** What pages take of it. */
export const PARTS: Readonly<Record<string, Part>> = {
  "a loss": { imports: { "gpu": "openGpu", "loss": "DinoLoss" }, limit: 30_000 },
  "a loss, from the main entry": {
    imports: { "": "openGpu, DinoLoss" },
    limit: 31_000,
    oneFile: true,
  },
  "a ViT with attention and weights": {
    imports: {
      "gpu": "openGpu",
      "model": "VisionTransformer, Parameters",
      "io": "weightsFrom",
      "eval": "lookAt, pca",
    },
    limit: 60_000,
  },
  "features of pictures": { imports: { "load": "load" }, limit: 80_000 },
  "training": {
    imports: {
      "gpu": "openGpu",
      "model": "DinoModel, initialize",
      "train": "Trainer, Feed, recordStep",
      "data": "Loader, functionDataset",
    },
    limit: 100_000,
  },
  "training, as a configuration says": {
    imports: {
      "gpu": "openGpu",
      "from_config": "modelOf, scheduleOf, trainerOptionsOf, feedOptionsOf, loaderOf",
      "train": "Trainer, Feed, recordStep",
      "data": "functionDataset",
    },
    limit: 110_000,
  },
};

const PAGE = "page.js";

/** Bytes of one of them. */
export interface Size {
  /** Before the page begins. */
  first: number;
  /** What it may fetch later: decoders, other formats. */
  later: number;
}

/**
 * Bundles a page for each part, and measures it.
 *
 * @param folder The package.
 */
export async function sizesOf(
  folder: string,
): Promise<Map<string, Size>> {
  const sizes = new Map<string, Size>();
  for (const [name, { imports, oneFile }] of Object.entries(PARTS)) {
    const lines = Object.entries(imports).map(([path, names]) =>
      `import { ${names} } from "${deno.name}${path && `/${path}`}"; console.log(${names});`
    );
    const { outputFiles = [], metafile } = await esbuild.build({
      stdin: { contents: lines.join("\n"), resolveDir: folder, sourcefile: PAGE },
      outdir: "page",
      write: false,
      metafile: true,
      bundle: true,
      splitting: !oneFile,
      minify: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      plugins: [{
        name: "the package itself",
        setup(build) {
          build.onResolve(
            { filter: new RegExp(`^${deno.name}(/|$)`) },
            ({ path }) => {
              const file = `./lib/${path.slice(deno.name.length + 1) || "mod"}.js`;
              return build.resolve(file, { resolveDir: folder, kind: "import-statement" });
            },
          );
        },
      }],
      logLevel: "error",
    });
    const outputs = metafile.outputs, files = Object.keys(outputs), first = new Set<string>();
    const add = (file: string) => {
      if (first.has(file)) return;
      first.add(file);
      for (const { path, kind } of outputs[file].imports) {
        if (kind === "import-statement") add(path);
      }
    };
    add(files.find((file) => outputs[file].entryPoint?.endsWith(PAGE))!);
    const bytes = new Map(outputFiles.map(({ path, contents }) => {
      return [basename(path), gzipSync(contents, { level: 9 }).length];
    }));
    const sum = (some: string[]) => some.reduce((sum, file) => sum + bytes.get(basename(file))!, 0);
    sizes.set(name, {
      first: sum([...first]),
      later: sum(files.filter((file) => !first.has(file))),
    });
  }
  return sizes;
}

/** Throws where a part is over its limit. */
export function checkSizes(sizes: ReadonlyMap<string, Size>): void {
  for (const [name, { first }] of sizes) {
    const { limit } = PARTS[name];
    if (first <= limit) continue;
    throw new HatchlingError(
      `Expected a page with ${name} to load at most ${limit} bytes but found ${first}: see what does not fall away, ` +
        "such as a constant that is made by a call",
    );
  }
}
