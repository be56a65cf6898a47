/**
 * A model as files for other software.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type RawTensor, serializeSafetensors } from "../io/safetensors.ts";
import { headOf } from "../io/weight_names.ts";
import { ResNet } from "../model/resnet.ts";
import type { LoadedModel } from "../open_model/load.ts";
import { MADE_BY, metadataOf, preprocessorConfig } from "./describe.ts";
import { type ExportDtype, stored, TORCH_DTYPES } from "./dtype.ts";
import { facebookBoth, facebookHead, facebookLayout } from "./layouts/facebook.ts";
import { huggingFaceLayout } from "./layouts/hugging_face.ts";
import type { Layout, Tensors } from "./layouts/layout.ts";
import { resnetLayout } from "./layouts/resnet.ts";
import { timmConfig, timmLayout } from "./layouts/timm.ts";
import { backboneOnnx, headOnnx } from "./onnx/file.ts";
import type { OnnxDtype } from "./onnx/graph.ts";
import { vitShape } from "./shape.ts";

/** Layouts of safetensors. */
export const NAMES = ["timm", "hf", "fb"] as const;
/** Parts of a model. */
export const PARTS = ["backbone", "head", "all"] as const;

/** What is asked for. */
export interface ExportOptions {
  /** Kind of file. */
  to: "safetensors" | "onnx";
  /** Layout of safetensors. */
  names: typeof NAMES[number];
  /** Element type. */
  dtype: ExportDtype;
  /** Part of the model. */
  part: typeof PARTS[number];
  /** ONNX: also give the attention of the last block. */
  attention?: boolean;
  /** The licence that files name. */
  license?: string;
}

/** Files, by their place in a folder, and what to say of them. */
export interface Exported {
  files: Map<string, Uint8Array<ArrayBuffer>>;
  /** What the model is for other software. */
  model: string;
  /** How it is loaded there; `FOLDER` stands for the place of the files. */
  load: string;
  /** What one should know. */
  notes: string[];
}

/**
 * Checks that options go together.
 *
 * @throws {HatchlingError} Naming those that do not.
 */
export function checkOptions({ to, names, dtype, part, attention }: ExportOptions): void {
  const wrong = (found: string, remedy: string): never => {
    throw new HatchlingError(`Expected options that go together but found ${found}: ${remedy}`);
  };
  if (to === "onnx") {
    if (dtype === "bf16") {
      wrong("--to onnx with --dtype bf16", "runtimes hardly know it, take f16 or f32");
    }
    return;
  }
  if (attention) wrong("--attention with --to safetensors", "it is an output of --to onnx");
  if (part !== "backbone" && names !== "fb") {
    wrong(`--part ${part} with --names ${names}`, "its models have no DINO head, take --names fb");
  }
}

/** Names of the files that an export writes, the weights first. */
export function fileNames({ to, names, dtype, part }: ExportOptions): string[] {
  if (to === "onnx") {
    const suffix = dtype === "f16" ? "_fp16" : "";
    const models = part === "all" ? ["model", "head"] : [part === "head" ? "head" : "model"];
    const beside = part === "head" ? [] : ["config.json", "preprocessor_config.json"];
    return [...models.map((name) => `onnx/${name}${suffix}.onnx`), ...beside];
  }
  const beside = { timm: ["config.json"], hf: ["config.json", "preprocessor_config.json"], fb: [] };
  return ["model.safetensors", ...beside[names]];
}

/**
 * Makes the files.
 *
 * @throws {HatchlingError} When the layout has no place for a part of the model, or options do not go together.
 */
export function exportModel(loaded: LoadedModel, options: ExportOptions): Exported {
  checkOptions(options);
  if (options.part !== "backbone" && !loaded.hasHead) {
    throw new HatchlingError(
      `Expected DINO's head in ${loaded.file} but found none: take --part backbone`,
    );
  }
  return options.to === "onnx" ? onnx(loaded, options) : safetensors(loaded, options);
}

function safetensors(loaded: LoadedModel, options: ExportOptions): Exported {
  const { names, dtype, license } = options;
  const layout = layoutOf(loaded, options), { model, load, notes } = layout;
  const about = metadataOf(loaded, { part: partName(options), model, load, license });
  const raw = new Map<string, RawTensor>();
  for (const [name, values] of layout.tensors) raw.set(name, stored(name, values, dtype));
  for (const name of layout.counters ?? []) {
    raw.set(name, { dtype: "I64", shape: [], data: new BigInt64Array(1) });
  }
  const files = new Map([["model.safetensors", serializeSafetensors(raw, about)]]);
  const { config } = layout;
  if (config && names === "timm") {
    files.set("config.json", json({ ...MADE_BY, ...timmConfig(config, loaded.config, license) }));
  } else if (config) {
    files.set("config.json", json({ ...MADE_BY, ...config, torch_dtype: TORCH_DTYPES[dtype] }));
    files.set("preprocessor_config.json", json(preprocessorConfig(loaded.config)));
  }
  return { files, model, load, notes };
}

function layoutOf(loaded: LoadedModel, { names, part }: ExportOptions): Layout {
  if (part === "backbone") return backboneLayout(loaded, names);
  const head = facebookHead(tensorsOf(loaded, "head"), loaded.model.head!.config);
  return part === "head" ? head : facebookBoth(backboneLayout(loaded, names), head);
}

function backboneLayout(named: Named, names: ExportOptions["names"]): Layout {
  const { backbone, feature } = named.model, tensors = tensorsOf(named);
  if (backbone instanceof ResNet) return resnetLayout(names, tensors, backbone.config);
  const shape = vitShape(backbone);
  if (names === "timm") return timmLayout(tensors, shape, feature);
  return (names === "hf" ? huggingFaceLayout : facebookLayout)(tensors, shape);
}

/** A model and its weights by name. */
type Named = Pick<LoadedModel, "model" | "weights">;

/** Parameters of the backbone, its mask token among them, or of a head. */
function tensorsOf({ model, weights }: Named, head?: "head"): Tensors {
  const specs = head
    ? model.specs().filter(({ name }) => headOf(name) === head)
    : model.backbone.specs();
  return new Map(specs.map(({ name, shape }) => [name, { shape, data: weights.get(name)! }]));
}

function partName({ part }: ExportOptions): string {
  return { backbone: "backbone", head: "DINO's head", all: "backbone and DINO's head" }[part];
}

function onnx(loaded: LoadedModel, options: ExportOptions): Exported {
  const { part, attention, license } = options,
    dtype: OnnxDtype = options.dtype === "f16" ? "f16" : "f32";
  const { model, weights, config } = loaded;
  const get = (name: string) => weights.get(name)!;
  const [first, ...others] = fileNames(options);
  const load = [
    "import onnxruntime",
    `session = onnxruntime.InferenceSession("FOLDER/${first}")`,
  ].join("\n");
  const about = (part: string) => {
    const { format: _, ...texts } = metadataOf(loaded, { part, model: "ONNX", load, license });
    return { dtype, attention, metadata: texts };
  };
  const files = new Map<string, Uint8Array<ArrayBuffer>>(), notes: string[] = [];
  const headFile = part === "head" ? first : others[0];
  if (part !== "head") {
    files.set(first, backboneOnnx(model, get, about("backbone")));
    const { config: beside, note } = transformersConfig(loaded, dtype);
    if (note) notes.push(note);
    files.set("config.json", json({ ...MADE_BY, ...beside }));
    files.set("preprocessor_config.json", json(preprocessorConfig(config)));
  }
  if (part !== "backbone") files.set(headFile, headOnnx(model, get, about("DINO's head")));
  return { files, model: "ONNX, opset 17", load, notes };
}

/** config.json for transformers.js: that of Hugging Face's model where there is one. */
function transformersConfig(named: Named, dtype: OnnxDtype) {
  const more = { "transformers.js_config": { dtype: dtype === "f16" ? "fp16" : "fp32" } };
  try {
    return { config: { ...backboneLayout(named, "hf").config, ...more } };
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    const { dim: hidden_size } = named.model.backbone;
    return {
      config: { architectures: ["ViTModel"], model_type: "vit", hidden_size, ...more },
      note: "config.json is for transformers.js alone: Hugging Face has no such model in PyTorch",
    };
  }
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
}
