/**
 * The page as a folder of files that any host can serve.
 *
 * @module
 */
import { join } from "node:path";
import project from "../../deno.json" with { type: "json" };
import { stringifyConfig } from "../../lib/config.ts";
import { openEmoji } from "../../lib/data/emoji.ts";
import base from "../../lib/draw/base.css" with { type: "text" };
import { pngOf } from "../../lib/draw/canvas.ts";
import { fileError } from "../../lib/io/files.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { loadModel } from "../../lib/open_model/load.ts";
import { scene } from "../common/scene.ts";
import { codeVersion } from "../common/code_version.ts";
import { ROOT } from "../common/bundle/tools.ts";
import { Bundler } from "./bundle.ts";
import { packSet } from "./emoji_file.ts";
import icon from "./page/icon.svg" with { type: "text" };
import html from "./page/index.html" with { type: "text" };
import manifest from "./page/manifest.webmanifest" with { type: "text" };
import style from "./page/style.css" with { type: "text" };
import worker from "./page/sw.js" with { type: "text" };

/** What goes into the folder. */
export interface DemoOptions {
  /** The folder. */
  out: string;
  /** Whether the emoji come along. */
  emoji: boolean;
  /** A model that the page opens with: a run's folder, or a file of weights. */
  model?: string;
  /** Told what is done. */
  onNote?: (line: string) => void;
}

/**
 * What the page may do: run what lies beside it, WebAssembly among it, and show what it was given. It asks no other
 * host for anything.
 */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Recipes that the page offers, by what they are called. */
const RECIPES = {
  "small: a few minutes": "configs/small.yaml",
  "tiny: six steps, to see that all runs": "configs/tiny.yaml",
};

/** Scripts by their entries. */
const SCRIPTS = [
  ["worker.js", "worker/worker.ts"],
  ["app.js", "page/app.ts"],
  ["hatchling-attention.js", "element/attention.ts"],
] as const;

/** Sides in pixels of the emoji, and of the picture of the example. */
const EMOJI_SIDE = 32, LANDSCAPE = 224;

const NOTICE = `Hatchling ${project.version}, under Apache-2.0.

Emoji (emoji.bin): npm emoji-datasource 16.0.0 (MIT). Pictures: Noto emoji of Google (Apache-2.0); Twemoji, copyright
Twitter, Inc and other contributors (CC-BY 4.0, https://creativecommons.org/licenses/by/4.0/), reduced to 32 pixels on
white.

Decoders: imagescript (MIT or AGPL-3.0, here MIT), @jsquash/webp (Apache-2.0) with libwebp (BSD). Also zod (MIT), yaml
(ISC), umap-js (MIT), wgpu-matrix (MIT).
`;

/** A file's text or bytes. */
type Contents = string | Uint8Array;

/**
 * Writes the folder.
 *
 * @returns Bytes by file.
 * @throws {HatchlingError} When something cannot be bundled, downloaded or written.
 */
export async function buildDemo(
  { out, emoji, model, onNote = () => {} }: DemoOptions,
): Promise<Map<string, number>> {
  const code = JSON.stringify(await codeVersion());
  const recipes: Record<string, string> = {};
  for (const [title, path] of Object.entries(RECIPES)) recipes[title] = await textOf(path);
  const files = new Map<string, Contents>();
  await using bundler = await Bundler.open();
  for (const [name, entry] of SCRIPTS) {
    onNote(`bundling ${name}`);
    files.set(name, await bundler.bundle(entry, { CODE: code, RECIPES: JSON.stringify(recipes) }));
  }
  files.set("index.html", html.replace('content="CSP"', `content="${POLICY}"`));
  files.set("style.css", base + style).set("icon.svg", icon).set("manifest.webmanifest", manifest);
  files.set("attention.html", await textOf("docs/examples/attention.html")).set(
    "NOTICE.txt",
    NOTICE,
  );
  files.set("landscape.png", pngOf(scene(LANDSCAPE, LANDSCAPE)));
  if (emoji) {
    onNote("packing the emoji");
    const { json, bin } = await packSet(await openEmoji(), EMOJI_SIDE);
    files.set("emoji.json", JSON.stringify(json)).set("emoji.bin", bin);
  }
  const own = model === undefined ? [] : await modelFiles(model);
  files.set("model/files.json", JSON.stringify(own.map(([name]) => name)));
  for (const [name, contents] of own) files.set(`model/${name}`, contents);
  files.set("sw.js", await keeping(files));
  await write(out, files);
  return new Map([...files].map(([name, contents]) => [name, bytesOf(contents).length]));
}

/** A text of the repository. */
const textOf = (path: string) => Deno.readTextFile(join(ROOT, path));

/** Weights and configuration of a model. */
async function modelFiles(path: string): Promise<[string, Contents][]> {
  const { config, model, weights } = await loadModel({ path });
  const tensors = new Map(
    model.specs().map(({ name, shape }) => [name, float32Tensor(weights.get(name)!, shape)]),
  );
  return [
    ["teacher.safetensors", serializeSafetensors(tensors, { format: "pt" })],
    ["config.yaml", stringifyConfig(config)],
  ];
}

/** The service worker, with what it keeps; a page that was built anew replaces all. */
async function keeping(files: ReadonlyMap<string, Contents>): Promise<string> {
  const all = [...files].map(([name, contents]) => [name, bytesOf(contents)] as const);
  const hash = await crypto.subtle.digest(
    "SHA-256",
    await new Blob(all.flatMap(([name, bytes]) => [name, bytes as BufferSource])).arrayBuffer(),
  );
  const version = new Uint8Array(hash).toHex().slice(0, 16);
  const names = JSON.stringify(["./", ...files.keys()]);
  return worker.replace("hatchling-BUILD", `hatchling-${version}`).replace(
    "FILES = []",
    `FILES = ${names}`,
  );
}

const bytesOf = (contents: Contents) =>
  typeof contents === "string" ? new TextEncoder().encode(contents) : contents;

async function write(out: string, files: ReadonlyMap<string, Contents>): Promise<void> {
  for (const [name, contents] of files) {
    const path = join(out, name);
    try {
      await Deno.mkdir(join(path, ".."), { recursive: true });
      await Deno.writeFile(path, bytesOf(contents));
    } catch (error) {
      throw fileError("write", path, error);
    }
  }
}
