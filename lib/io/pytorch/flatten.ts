/**
 * The tensors of a checkpoint by name, whatever they are nested in.
 *
 * @module
 */
import { brief } from "../safetensors_header.ts";
import { Inert, TensorRef, Tuple, type Value } from "./values.ts";
import type { Fail } from "./zip.ts";

/** What a checkpoint holds. */
export interface Flat {
  /** Tensors by name. */
  tensors: Map<string, TensorRef>;
  /** Numbers, truth values and short strings by name, as texts; and what was left out, with the reason. */
  texts: Map<string, string>;
}

/** Steps from the root to a tensor. */
const MAX_DEPTH = 100;

/** Values that are visited. Lists that hold one another many times over would be visited without end. */
const MAX_VISITS = 2_000_000;

/** Tensors; the largest models have some thousands, and with states of optimisers four times as many. */
const MAX_TENSORS = 200_000;

/** Longest text that is kept, and longest name. */
const TEXT = 500, NAME = 1000;

/** How many texts are kept: they say how a model was made, not what became of it. */
const MAX_TEXTS = 10_000;

/**
 * Goes through dicts, lists and tuples. Names are joined by dots: `teacher.backbone.cls_token`, `optimizer.state.0.exp_avg`.
 * A tensor by itself is called `tensor`.
 */
export function flatten(root: Value, fail: Fail): Flat {
  const tensors = new Map<string, TensorRef>(), texts = new Map<string, string>();
  let visits = 0;
  const visit = (value: Value, name: string, depth: number, onlyTexts: boolean): void => {
    if (++visits > MAX_VISITS) fail(`it nests more than ${MAX_VISITS} values`);
    if (value instanceof TensorRef) {
      if (onlyTexts) return;
      const known = name || "tensor";
      if (tensors.has(known)) fail(`it names ${brief(known)} twice`);
      if (tensors.size >= MAX_TENSORS) fail(`it holds more than ${MAX_TENSORS} tensors`);
      tensors.set(known, value);
    } else if (value instanceof Map) {
      for (const [key, item] of value) enter(key, item, name, depth, onlyTexts);
    } else if (value instanceof Tuple || Array.isArray(value)) {
      const items = value instanceof Tuple ? value.items : value;
      items.forEach((item, i) => enter(i, item, name, depth, onlyTexts));
    } else if (value instanceof Inert) {
      if (value.attributes) visit(value.attributes, name, depth + 1, true);
    } else if (["string", "number", "boolean"].includes(typeof value)) {
      const text = String(value);
      if (name && text.length <= TEXT && texts.size < MAX_TEXTS) texts.set(name, text);
    }
  };
  const enter = (key: Value, item: Value, name: string, depth: number, onlyTexts: boolean) => {
    // what is called by a tuple or a class has no name here
    if (typeof key !== "string" && typeof key !== "number") return;
    if (depth >= MAX_DEPTH) fail("it is nested too deeply");
    const full = name ? `${name}.${key}` : `${key}`;
    if (full.length > NAME) fail(`its names are longer than ${NAME} characters`);
    visit(item, full, depth + 1, onlyTexts);
  };
  visit(root, "", 0, false);
  return { tensors, texts };
}
