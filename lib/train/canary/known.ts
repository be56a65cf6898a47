/**
 * A canary of known answers: products, a reduction, a norm and an attention of a few numbers, by the kernels that
 * training uses, whose results are compared with float64.
 *
 * @module
 */
import { type Gpu, type Program, record, type Tensor } from "../../gpu.ts";
import { attention, layerNorm, matmul, type MatmulVariant } from "../../ops.ts";
import { columnSum } from "../../ops/reduce.ts";
import { type Answer, attentionOf, columnSumOf, layerNormOf, productOf } from "./answers.ts";

/** Rows, and columns of the weight; a multiple of 4, as some kernels ask, but of no tile. */
const M = 68, N = 132;
/** Widest inputs, as each number costs the host its comparison. */
const WIDEST = 192;
/** Tokens and heads of the attention. */
const TOKENS = 37, HEADS = 2;

/** What a model's kernels depend on. */
export interface CanaryShape {
  /** Width of its tokens. */
  dim: number;
  /** Dimensions of an attention head. */
  headDim: number;
}

/** A result with what it must be. */
interface Known {
  /** The op, and its kernels. */
  what: string;
  kernel: string;
  tensor: Tensor;
  answer: Answer;
  /** The power of the inputs' scale that each number grows with. */
  power: (i: number) => number;
}

/** What goes in, and which of its numbers grow with the scale of a run. */
interface Input {
  tensor: Tensor;
  values: Float32Array;
  scaled: (i: number) => boolean;
}

/** Canaries of known answers; each run has inputs of another scale, so that old results are wrong ones. */
export class KnownAnswers {
  readonly #program: Program<Tensor[]>;
  readonly #known: readonly Known[];
  readonly #inputs: readonly Input[];
  #runs = 0;

  private constructor(
    program: Program<Tensor[]>,
    known: readonly Known[],
    inputs: readonly Input[],
  ) {
    this.#program = program;
    this.#known = known;
    this.#inputs = inputs;
  }

  /** Records the canary for a model; works its answers out. */
  static async record(gpu: Gpu, { dim, headDim }: CanaryShape): Promise<KnownAnswers> {
    const k = Math.max(4, Math.min(WIDEST, Math.floor(dim / 4) * 4)), width = HEADS * headDim;
    const inputs: Input[] = [];
    const input = (shape: number[], seed: number, scaled: (i: number) => boolean = () => true) => {
      const size = shape.reduce((a, b) => a * b), values = numbers(size, seed);
      const tensor = gpu.persistent(shape, "canary input");
      tensor.write(values);
      inputs.push({ tensor, values, scaled });
      return { tensor, values };
    };
    const x = input([M, k], 1), dy = input([M, N], 2), w = input([N, k], 3, () => false);
    const weight = input([k], 4), bias = input([k], 5), rows = input([M, k], 6, () => false);
    const isValue = (i: number) => i % (3 * width) >= 2 * width;
    const qkv = input([1, TOKENS, 3 * width], 7, isValue);
    const dout = input([1, TOKENS, width], 8, () => false);

    const products = {
      "x · wᵀ": { a: x, b: w, m: M, n: N, k, transA: false, transB: true, power: 1 },
      "dy · w": { a: dy, b: w, m: M, n: k, k: N, transA: false, transB: false, power: 1 },
      "dyᵀ · x": { a: dy, b: x, m: N, n: k, k: M, transA: true, transB: false, power: 2 },
    };
    const heads = attentionOf(qkv.values, dout.values, { tokens: TOKENS, heads: HEADS, headDim });
    const parts: Omit<Known, "kernel">[] = [];
    const program = await record(gpu, () => {
      const add = (what: string, tensor: Tensor, answer: Answer, power: Known["power"]) =>
        void parts.push({ what, tensor, answer, power });
      for (const [what, { a, b, power, ...product }] of Object.entries(products)) {
        const answer = productOf(a.values, b.values, product);
        for (const variant of variantsOf(gpu)) {
          add(
            `product ${what}`,
            matmul(gpu, a.tensor, b.tensor, { ...product, variant }),
            answer,
            () => power,
          );
        }
      }
      add("column sum", columnSum(gpu, dy.tensor), columnSumOf(dy.values, M, N), () => 1);
      const given = { rows: M, dim: k, eps: 1e-6 };
      const normed = layerNorm(gpu, rows.tensor, { data: weight.tensor }, { data: bias.tensor });
      const normAnswer = layerNormOf(rows.values, [weight.values, bias.values], given);
      add("layer norm", normed.y, normAnswer, () => 1);
      const made = attention(gpu, qkv.tensor, HEADS);
      add("attention", made.y, heads.y, () => 1);
      add("gradient of attention", made.backward(dout.tensor), heads.dqkv, (i) => +!isValue(i));
      return parts.map(({ tensor }) => tensor);
    });
    const known = parts.map((part) => {
      const kernel = writersOf(program, part.tensor);
      return { ...part, kernel, what: `${part.what} (${kernel})` };
    });
    return new KnownAnswers(program, known, inputs);
  }

  /** Runs the canary. */
  run(): void {
    const scale = this.#scaleOf(++this.#runs);
    for (const { tensor, values, scaled } of this.#inputs) {
      if (scaled(tensor.size - 1)) tensor.write(values.map((v, i) => scaled(i) ? scale * v : v));
    }
    this.#program.run();
  }

  /** What the last run left to be read. */
  get outputs(): readonly Tensor[] {
    return this.#program.outputs;
  }

  /** Compares what was read: the first result that is wrong, in words, if there is one. */
  check(read: readonly Float32Array[]): { kernel: string; text: string } | undefined {
    const scale = this.#scaleOf(this.#runs);
    for (
      const [n, { what, kernel, answer: { values, bounds }, power, tensor }] of this.#known
        .entries()
    ) {
      for (let i = 0; i < values.length; i++) {
        const by = scale ** power(i), found = read[n][i];
        if (Math.abs(found - values[i] * by) <= bounds[i] * by) continue;
        const right = `${values[i] * by} ± ${(bounds[i] * by).toPrecision(2)}`;
        const place = `[${tensor.shape.join(", ")}], number ${i}`;
        return { kernel, text: `${what}: ${found} in ${place}, where ${right} is right` };
      }
    }
  }

  /** Bytes of the results, and of what the ops need on their way. */
  get temporaryBytes(): number {
    return this.#program.temporaryBytes;
  }

  /** Frees it. */
  destroy(): void {
    this.#program.destroy();
    for (const { tensor } of this.#inputs) tensor.destroy();
  }

  /** Scales are powers of two, with which every float grows exactly. */
  #scaleOf(run: number): number {
    return 2 ** (run % 13 - 6);
  }
}

/** The kernels of products that were chosen on this adapter; the usual one where none was. */
function variantsOf(gpu: Gpu): (MatmulVariant | undefined)[] {
  const chosen = [...gpu.choices].filter(([task]) => task.startsWith("matmul "));
  return chosen.length
    ? [...new Set(chosen.map(([, name]) => name as MatmulVariant))]
    : [undefined];
}

/** Names of the kernels that write a tensor of a program. */
function writersOf(program: Program<unknown>, { storage }: Tensor): string {
  const names = new Set<string>();
  for (let i = 0; i < program.length; i++) {
    const { dispatch: { pipeline: { name, source }, tensors } } = program.part(i);
    if (tensors.some((t, j) => t.storage === storage && source.bindings[j].writable)) {
      names.add(name);
    }
  }
  return [...names].join(", ");
}

/** Numbers from −½ to ½ that look random, each a float. */
function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => (i * 0.6180339887 + seed * 0.754877666) % 1 - 0.5,
  );
}
