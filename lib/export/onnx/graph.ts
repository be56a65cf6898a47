/**
 * A network of ONNX operators, put together node by node.
 *
 * @module
 */
import { toHalf } from "../dtype.ts";
import type { Attribute, Dimension, Graph, Initializer, Node, ValueInfo } from "./schema.ts";

/** Types of elements in onnx.proto. */
const ELEMENTS = { f32: 1, i64: 7, f16: 10 } as const;

/** What a network computes with. */
export type OnnxDtype = "f32" | "f16";

/** Gives a parameter by its name. */
export type Weights = (name: string) => Float32Array;

/** Settings of a node: a whole number is an int, `{ float }` a float. */
type Settings = Readonly<Record<string, number | readonly number[] | { float: number }>>;

/** A size, or the name of one that is known when the network runs. */
export type Size = number | string;

/** Builds a graph; every method gives the name of what it makes. */
export class GraphBuilder {
  /** What it computes with; inputs and outputs are f32 all the same. */
  readonly dtype: OnnxDtype;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];

  /** Begins an empty graph. */
  constructor(dtype: OnnxDtype) {
    this.dtype = dtype;
  }

  /** An operation with one result. */
  op(type: string, inputs: readonly string[], settings: Settings = {}): string {
    return this.ops(type, inputs, 1, settings)[0];
  }

  /** An operation with several results. */
  ops(type: string, inputs: readonly string[], results: number, settings: Settings = {}): string[] {
    const name = `${type}_${this.#nodes.length}`;
    const output = Array.from({ length: results }, (_, i) => results > 1 ? `${name}.${i}` : name);
    const attribute = Object.entries(settings).map(([name, value]) => attributeOf(name, value));
    this.#nodes.push({ name, opType: type, input: [...inputs], output, attribute });
    return output;
  }

  /** A tensor of weights. */
  weight(name: string, values: Float32Array, shape: readonly number[], dtype = this.dtype): string {
    const dims = shape.map(BigInt), dataType = ELEMENTS[dtype];
    const stored = dtype === "f16" ? toHalf(name, values) : values;
    this.#initializers.set(name, { name, dims, dataType, rawData: bytesOf(stored) });
    return name;
  }

  /** A number. */
  number(value: number, dtype = this.dtype): string {
    return this.weight(`${dtype}(${value})`, Float32Array.of(value), [], dtype);
  }

  /** Whole numbers, [n]. */
  ints(...values: number[]): string {
    const name = `[${values}]`, rawData = bytesOf(BigInt64Array.from(values, BigInt));
    const dims = [BigInt(values.length)];
    this.#initializers.set(name, { name, dims, dataType: ELEMENTS.i64, rawData });
    return name;
  }

  /** A whole number. */
  int(value: number): string {
    return this.op("Squeeze", [this.ints(value)]);
  }

  /** Whole numbers or f32 as what the network computes with, or as another type. */
  cast(x: string, dtype: OnnxDtype = this.dtype): string {
    return this.op("Cast", [x], { to: ELEMENTS[dtype] });
  }

  /** An input of f32. */
  input(name: string, shape: readonly Size[], words: string): string {
    this.#inputs.push(valueInfo(name, shape, words));
    return this.dtype === "f32" ? name : this.cast(name);
  }

  /** An output of f32. */
  output(name: string, value: string, shape: readonly Size[], words: string): void {
    this.#outputs.push(valueInfo(name, shape, words));
    const same = this.dtype === "f32";
    this.#nodes.push({
      name: `output.${name}`,
      opType: same ? "Identity" : "Cast",
      input: [value],
      output: [name],
      attribute: same ? [] : [attributeOf("to", ELEMENTS.f32)],
    });
  }

  /** x · Wᵀ + b of a linear layer with the weight `name.weight`, [out, in], and perhaps a bias. */
  linear(
    x: string,
    name: string,
    weights: Weights,
    [out, inputs]: readonly number[],
    bias = true,
  ): string {
    const turned = transposed(weights(`${name}.weight`), out, inputs);
    const y = this.op("MatMul", [x, this.weight(`${name}.weight`, turned, [inputs, out])]);
    if (!bias) return y;
    return this.op("Add", [y, this.weight(`${name}.bias`, weights(`${name}.bias`), [out])]);
  }

  /** A layer norm over the last axis. */
  layerNorm(x: string, name: string, weights: Weights, dim: number, epsilon: number): string {
    const [scale, bias] = ["weight", "bias"].map((part) =>
      this.weight(`${name}.${part}`, weights(`${name}.${part}`), [dim])
    );
    const settings = { axis: -1, epsilon: { float: epsilon } };
    return this.op("LayerNormalization", [x, scale, bias], settings);
  }

  /** x · ½ (1 + erf(x / √2)): exact GELU by operators that opset 17 has. */
  gelu(x: string): string {
    const erf = this.op("Erf", [this.op("Div", [x, this.number(Math.SQRT2)])]);
    const gate = this.op("Mul", [x, this.op("Add", [erf, this.number(1)])]);
    return this.op("Mul", [gate, this.number(0.5)]);
  }

  /** Elements `from` to `to` of an axis. */
  slice(x: string, axis: number, from: number, to: number = 2 ** 31 - 1): string {
    return this.op("Slice", [x, this.ints(from), this.ints(to), this.ints(axis)]);
  }

  /** The graph. */
  finish(name: string): Graph {
    return {
      name,
      node: this.#nodes,
      initializer: [...this.#initializers.values()],
      input: this.#inputs,
      output: this.#outputs,
    };
  }
}

function attributeOf(
  name: string,
  value: number | readonly number[] | { float: number },
): Attribute {
  if (typeof value === "number") return { name, type: 2, i: BigInt(value) };
  if ("float" in value) return { name, type: 1, f: Math.fround(value.float) };
  return { name, type: 7, ints: value.map(BigInt) };
}

function valueInfo(name: string, shape: readonly Size[], docString: string): ValueInfo {
  const dim = shape.map((size): Dimension =>
    typeof size === "number" ? { dimValue: BigInt(size) } : { dimParam: size }
  );
  return { name, type: { tensorType: { elemType: ELEMENTS.f32, shape: { dim } } }, docString };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** [rows, cols] → [cols, rows], tile by tile: whole columns would leave every cache. */
function transposed(values: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(values.length), tile = 32;
  for (let top = 0; top < rows; top += tile) {
    const bottom = Math.min(top + tile, rows);
    for (let left = 0; left < cols; left += tile) {
      const right = Math.min(left + tile, cols);
      for (let c = left; c < right; c++) {
        for (let r = top; r < bottom; r++) out[c * rows + r] = values[r * cols + c];
      }
    }
  }
  return out;
}
