/** The demo page as tests see it: built into a folder, served, and its worker asked by itself. */
import type { Page } from "puppeteer-core";
import { parseConfig, stringifyConfig } from "../../lib/config.ts";
import { modelOf } from "../../lib/from_config.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { initialize } from "../../lib/model.ts";
import { buildDemo } from "../../scripts/demo/build.ts";
import { Bundler } from "../../scripts/demo/bundle.ts";
import type { Calls, Events } from "../../scripts/demo/protocol.ts";
import { serveDemo } from "../../scripts/demo/serve.ts";
import { chromium, LIMIT } from "./browser.ts";
import { freePort } from "./dashboard.ts";

/** Configuration of the model that the page opens with. */
export const YAML = `
augmentation: { global_crop_size: 32, local_crop_size: 16 }
model: { backbone: custom, patch_size: 8, dim: 24, depth: 2, heads: 3, init_std: 0.3, drop_path_rate: 0 }
evaluation: { feature: grid }
data: { max_pixels: 1000 }
`;

/** Why the page cannot be built here, where it is to be. */
export const unbuildable = chromium
  ? await Bundler.open().then(() => "", (error) => error.message)
  : "";

let built: Promise<{ out: string; weights: Uint8Array<ArrayBuffer> }> | undefined;

/** The page without the emoji, with a model as a run exports it; built once for all tests of a process. */
async function build() {
  const folder = await Deno.makeTempDir({ prefix: "hatchling-demo-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const config = parseConfig(YAML), specs = modelOf(config).specs(), values = initialize(specs, 3);
  const tensors = new Map(
    specs.map(({ name, shape }) => [name, float32Tensor(values.get(name)!, shape)]),
  );
  const weights = serializeSafetensors(tensors, { format: "pt" });
  const model = `${folder}/model`, out = `${folder}/page`;
  await Deno.mkdir(model);
  await Deno.writeFile(`${model}/teacher.safetensors`, weights);
  await Deno.writeTextFile(`${model}/config.yaml`, stringifyConfig(config));
  await buildDemo({ out, emoji: false, model });
  return { out, weights };
}

/** Serves the page. */
export async function served() {
  const { out, weights } = await (built ??= build());
  return { out, weights, ...serveDemo(out, freePort()) };
}

/** A file as the page has it: where it is to be fetched, and its name. */
export interface Fetched {
  name: string;
  url: string;
}

/** Asks a worker of the page's own kind; files are named by {@linkcode Fetched}, arrays come as lists. */
export async function ask<M extends keyof Calls>(
  page: Page,
  method: M,
  ...args: unknown[]
  // deno-lint-ignore no-explicit-any
): Promise<any> {
  return await page.evaluate(
    async (method: string, args: unknown[], limit: number) => {
      const scope = globalThis as unknown as { asked?: Worker; news?: unknown[]; count?: number };
      if (!scope.asked) {
        scope.asked = new Worker("worker.js", { type: "module" });
        scope.news = [];
        scope.asked.addEventListener("message", ({ data }) => {
          if (data.event) scope.news!.push(data);
        });
      }
      const worker = scope.asked, id = scope.count = (scope.count ?? 0) + 1;
      const filled = async (value: unknown): Promise<unknown> => {
        if (Array.isArray(value)) return await Promise.all(value.map(filled));
        if (typeof value !== "object" || value === null) return value;
        if ("url" in value) {
          const { url, name } = value as { url: string; name: string };
          return { name, file: await (await fetch(url)).blob() };
        }
        const entries = Object.entries(value).map(async ([key, v]) => [key, await filled(v)]);
        return Object.fromEntries(await Promise.all(entries));
      };
      const plain = (value: unknown): unknown => {
        if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array);
        if (value instanceof ImageBitmap) return { width: value.width, height: value.height };
        if (Array.isArray(value)) return value.map(plain);
        if (typeof value !== "object" || value === null) return value;
        return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, plain(v)]));
      };
      const message = { id, method, args: await filled(args) };
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), limit);
        const hear = ({ data }: MessageEvent) => {
          if (data.id !== id) return;
          clearTimeout(timer);
          worker.removeEventListener("message", hear);
          if (data.error) reject(new Error(data.error));
          else resolve(plain(data.result));
        };
        worker.addEventListener("message", hear);
        worker.postMessage(message);
      });
    },
    method,
    args,
    LIMIT,
  );
}

/** Drops files or folders of the disk on a page. */
export async function drop(page: Page, ...files: string[]): Promise<void> {
  const devtools = await page.createCDPSession();
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await devtools.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
  }
}

/** Runs until the run ends; its steps. */
export async function runToEnd(page: Page): Promise<Events["step"][]> {
  await page.evaluate(() => (globalThis as unknown as { news: unknown[] }).news.length = 0);
  await ask(page, "speed", "run");
  const news = await page.waitForFunction(
    () => {
      const { news } = globalThis as unknown as { news: { event: string }[] };
      return news.some(({ event }) => event === "ended") && news;
    },
    { timeout: LIMIT, polling: 50 },
  );
  const all = await news.jsonValue() as {
    event: string;
    data: Events["step"] & { why?: string };
  }[];
  const why = all.find(({ event }) => event === "ended")?.data.why;
  if (why) throw new Error(why);
  return all.flatMap(({ event, data }) => event === "step" ? [data] : []);
}
