/**
 * Where a model comes from: bytes, an address, or what lies on a disk.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { builtin } from "../io/builtin.ts";
import type { WeightsFile } from "../io/tensor_file.ts";
import { openWeightsBytes } from "../io/weights_source.ts";
import { modelIn, type ModelInOptions } from "../open_model/model_in.ts";
import { shown } from "../text.ts";
import { fetchFile, fetchPublished, filesOfRun, isFolder } from "./fetch.ts";
import type { ModelSource, SourcedModel, SourceOptions } from "./types.ts";

/** Reads a model. */
export async function readModel(
  source: ModelSource,
  options: SourceOptions = {},
): Promise<SourcedModel> {
  if (typeof source !== "string" && (typeof source !== "object" || !source)) {
    throw new HatchlingError(
      `load: expected a run's folder, a file of weights, an address or bytes but found ${source}: ` +
        'give one, as in await load("runs/a")',
    );
  }
  if (typeof source !== "string" && !(source instanceof URL)) {
    const name = source instanceof File ? source.name : "the bytes given";
    const bytes = source instanceof Uint8Array
      ? source
      : new Uint8Array(source instanceof Blob ? await source.arrayBuffer() : source);
    const beside = () => Promise.resolve(undefined);
    using reader = await openWeightsBytes(bytes, name);
    return { ...await modelIn(reader, optionsOf(options)), file: name, beside };
  }
  const text = String(source);
  if (/^(https?|blob|data):/.test(text)) return await fetchModel(new URL(text), options);
  if (!builtin("node:fs")) return await fetchModel(new URL(text, location.href), options);
  const path = text.startsWith("file:")
    ? builtin<typeof import("node:url")>("node:url")!.fileURLToPath(text)
    : text;
  const { readFromDisk } = await import("./disk.ts");
  return await readFromDisk(path, options);
}

function optionsOf({ config, part, onNote }: SourceOptions): ModelInOptions {
  const text = (text: string) => ({ text, name: "the configuration given" });
  return { config: typeof config === "string" ? text(config) : config, part, onNote };
}

/** A model from an address. */
async function fetchModel(url: URL, options: SourceOptions): Promise<SourcedModel> {
  const asked = optionsOf(options);
  const besideOf = (file: URL) => (name: string) => fetchFile(new URL(name, file));
  const open = async (file: URL, bytes: Uint8Array<ArrayBuffer>, more: ModelInOptions = {}) => {
    using reader: WeightsFile = await openWeightsBytes(bytes, nameOf(file));
    const { config, preprocessor } = await fetchPublished(file);
    const whole = Object.assign(reader, config === undefined ? {} : { config, preprocessor });
    const found = await modelIn(whole, { ...asked, ...more });
    return { ...found, file: nameOf(file), beside: besideOf(file) };
  };
  const textOf = (file: URL, bytes: Uint8Array | undefined) =>
    bytes && { text: new TextDecoder().decode(bytes), name: nameOf(file) };
  if (!isFolder(url)) {
    const bytes = await fetchFile(url), config = new URL("config.yaml", url);
    if (!bytes) throw new HatchlingError(`Expected weights at ${shown(url.href)} but found none`);
    const hasAddress = url.protocol.startsWith("http");
    const beside = async () => textOf(config, hasAddress ? await fetchFile(config) : undefined);
    return await open(url, bytes, { beside });
  }
  const folder = new URL(url.href.replace(/\/?([?#].*)?$/, "/$1"));
  const yaml = new URL("config.yaml", folder), text = textOf(yaml, await fetchFile(yaml));
  const student = options.part === "student";
  for (const name of filesOfRun(student, !!text)) {
    const file = new URL(name, folder), bytes = await fetchFile(file);
    if (!bytes) continue;
    const ofRun = !!text, isStudent = student || name === "student.safetensors";
    const beside = () => Promise.resolve(text);
    return await open(file, bytes, { beside, ofRun, student: isStudent });
  }
  throw new HatchlingError(
    `Expected a run or a published model at ${shown(folder.href)} but found none of ${
      filesOfRun(student, !!text).join(", ")
    }: name the file itself`,
  );
}

const nameOf = ({ protocol, href }: URL) =>
  protocol === "data:" || protocol === "blob:" ? `the file of a ${protocol} address` : href;
