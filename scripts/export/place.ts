/**
 * Where an export goes.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { MADE_BY } from "../../lib/export/describe.ts";
import { type ExportOptions, fileNames } from "../../lib/export/files.ts";
import { shown } from "../../lib/text.ts";
import { defaultFolder, headOf, type OutputFile } from "../common/outputs.ts";

/** A folder, or a file alone. */
export interface Place {
  folder: string;
  /** The one file that is written, where a file was named. */
  only?: string;
  /** Where a file of the export goes. */
  pathOf(name: string): string;
}

/**
 * The place that was named, else one for every layout below the run.
 *
 * @throws {HatchlingError} When a file was named that cannot hold what was asked for, or is no use alone.
 */
export function placeOf(options: ExportOptions & { out?: string }, run?: string): Place {
  const { to, names, out } = options;
  const layout = to === "onnx" ? "onnx" : names;
  const ending = out?.match(/\.(safetensors|onnx)$/i)?.[1].toLowerCase();
  if (out === undefined || ending === undefined) {
    const folder = out ?? join(defaultFolder("export", run), layout);
    return { folder, pathOf: (name) => join(folder, name) };
  }
  const fail = (what: string) => {
    throw new HatchlingError(`Expected a folder as --out but found ${shown(out)}: ${what}`);
  };
  if (ending !== to) fail(`--to ${to} writes no such file`);
  if (layout === "hf") fail("from_pretrained reads a folder, with config.json in it");
  const all = fileNames(options), weights = all.filter((name) => name.endsWith(`.${to}`));
  if (weights.length > 1) fail("backbone and head are two files");
  return { folder: dirname(out), only: weights[0], pathOf: () => out };
}

/** What is written, with what tells a file of this command from others. */
export function outputsIn(place: Place, names: readonly string[]): OutputFile[] {
  const config = (path: string) => {
    const { exported_by: by } = MADE_BY;
    return headOf(path, 256).includes(`"exported_by": "${by}"`);
  };
  return names.map((name) => ({
    path: place.pathOf(name),
    own: (path) => {
      if (name.endsWith(".onnx")) return headOf(path, 64).includes(MADE_BY.exported_by);
      if (name === "config.json") return config(path);
      // This one takes no key of ours, so it belongs to the config.json beside it.
      if (name.endsWith(".json")) return config(place.pathOf("config.json"));
      const head = headOf(path, 65536);
      return head.includes(`"description":`) && head.includes(`"producer":"Hatchling"`);
    },
  }));
}
