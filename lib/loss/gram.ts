/**
 * Gram anchoring (DINOv3, Siméoni et al. 2025, arXiv:2508.10104, section 4.2): patches keep the similarities to each
 * other that they have in an earlier teacher.
 *
 * @module
 */
import differenceCode from "../../kernels/gram_difference.wgsl" with { type: "text" };
import gradCode from "../../kernels/gram_grad.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Scalar, Tensor } from "../gpu.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import { rowSum } from "../ops/reduce.ts";
import { PUT } from "../ops/wgsl_parts.ts";
import { checkOneGpu, describe } from "./shapes.ts";

const GRAM_DIFFERENCE = defineKernel("gram_difference", differenceCode);
const GRAM_GRAD = defineKernel("gram_grad", gradCode, { shared: [PUT] });

/** Bytes of the similarities that exist at once. */
const CHUNK = 16 * 2 ** 20;

/** Options of {@linkcode gram}. */
export interface GramOptions {
  /** First tokens of each image that are no patches: the class token, 1 by default. */
  prefix?: number;
  /** Factor on the gradient, at least 0; 1 by default. */
  weight?: number;
  /** A factor on loss and gradient, which recorded steps read anew each time. */
  weightAt?: Scalar;
  /** Micro-batches of equal size that the batch comes in; 1 by default. Loss and gradient are this one's share. */
  accumulationSteps?: number;
  /** Receives the loss [1]; a new tensor by default. */
  out?: Tensor;
  /** Add the loss to what `out` holds. */
  accumulate?: boolean;
  /**
   * Rows of Gram matrices that exist at once, a multiple of 4; by default as many as take 16 MiB, of several images
   * or a part of one.
   */
  chunkRows?: number;
}

/** What {@linkcode gram} returns. */
export interface GramResult {
  /** [1], without the weight; from 0, where both agree, to 4. */
  loss: Tensor;
  /** [n, T, D], the gradient of loss times weight with respect to the student's tokens; 0 for the first ones. */
  gradTokens: Tensor;
}

/**
 * L = mean over the images and the pairs (i, j) of their P patches of (x_i · x_j − y_i · y_j)², that is
 * ‖X Xᵀ − Y Yᵀ‖² / P² (Frobenius), with x the student's and y the anchor's patch tokens scaled to length 1
 * (x / max(‖x‖, 1e-12)). Both i = j and the two orders of a pair count. Only the student gets a gradient.
 *
 * The paper sums over pairs; its code, like this, takes the mean.
 *
 * @param student [n, T, D]: tokens of n images, the first `prefix` of them no patches.
 * @param anchor [n, T, D], of the teacher that is kept for this.
 * @throws {HatchlingError} When shapes do not fit, or a setting is out of range.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { gram } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const student = gpu.tensor(Float32Array.of(1, 0, 0, 1), [1, 2, 2]); // two patches at right angles
 * const anchor = gpu.tensor(Float32Array.of(1, 0, 1, 0), [1, 2, 2]); // the same patch twice
 * const { loss, gradTokens } = gpu.scope(() => gram(gpu, student, anchor, { prefix: 0 }));
 * console.log((await loss.read())[0]); // (0 + 1 + 1 + 0) / 4 = 0.5
 * for (const t of [student, anchor, loss, gradTokens]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function gram(
  gpu: Gpu,
  student: Tensor,
  anchor: Tensor,
  options: GramOptions = {},
): GramResult {
  const { n, tokens, patches, dim, weight, weightAt, steps, out, accumulate, chunk } = check(
    student,
    anchor,
    options,
  );
  return gpu.scope(() => {
    const x = l2Normalize(gpu, student), y = l2Normalize(gpu, anchor);
    const per = Math.ceil(patches / 4), all = n * per;
    const most = Math.min(chunk / 4, all);
    const difference = gpu.empty([most * 4, patches], "gram.difference");
    const share = gpu.empty([1, n * patches], "gram.share");
    const grad = gpu.empty(student.shape, "gram.grad");
    const vec = dim % 4 === 0;
    const width = vec ? dim / 4 : dim;
    const scale = 1 / (n * patches * patches * steps);
    for (let first = 0; first < all; first += most) {
      const blocks = Math.min(most, all - first);
      const params = { blocks, first, patches, tokens, width };
      gpu.dispatch(GRAM_DIFFERENCE, {
        constants: { VEC: vec },
        bindings: { x: x.y, y: y.y, difference },
        params,
        workgroups: grid(blocks * per, 64),
        flops: 16 * blocks * patches * dim,
      });
      gpu.dispatch(GRAM_GRAD, {
        constants: { VEC: vec, SCALED: !!weightAt },
        bindings: { x: x.y, difference, scalars: weightAt?.table, share, out: grad },
        // Each pair is there twice, and its difference moves with both of its patches.
        params: {
          ...params,
          factor: 4 * weight * scale,
          factor_index: weightAt?.index ?? 0,
        },
        workgroups: grid(blocks * width, 64),
        flops: 8 * blocks * patches * dim,
      });
    }
    const loss = out ?? gpu.empty([1], "gram");
    rowSum(gpu, share, { out: loss, scale, accumulate });
    return { loss, gradTokens: x.backward(grad) };
  });
}

const KEYS: readonly (keyof GramOptions)[] = [
  ...[
    "prefix",
    "weight",
    "weightAt",
    "accumulationSteps",
    "out",
    "accumulate",
    "chunkRows",
  ] as const,
];

/** Sizes, and the options with defaults filled in. */
function check(student: Tensor, anchor: Tensor, options: GramOptions) {
  const unknown = Object.keys(options).find((key) => !(KEYS as readonly string[]).includes(key));
  expect(
    unknown === undefined,
    `options among ${KEYS.join(", ")}`,
    unknown,
    "look at its spelling",
  );
  const {
    prefix = 1,
    weight = 1,
    weightAt,
    accumulationSteps: steps = 1,
    out,
    accumulate = false,
  } = options;
  const shape = "tokens [n, T, D], of student and anchor alike";
  const both = "give all tokens of the same images, both from one layer";
  expect(student instanceof Tensor && student.shape.length === 3, shape, student, both);
  const same = anchor instanceof Tensor && `${anchor.shape}` === `${student.shape}`;
  expect(same, `an anchor like ${student}`, anchor, both);
  checkOneGpu("gram", student, anchor, out);
  const [n, tokens, dim] = student.shape;
  const whole = Number.isInteger(prefix) && prefix >= 0 && prefix < tokens;
  expect(
    whole,
    `prefix to be whole and below the ${tokens} tokens of an image`,
    prefix,
    "it is the number of tokens that are no patches, 1 for a class token",
  );
  const finite = typeof weight === "number" && weight >= 0 && weight < Infinity;
  expect(finite, "a finite weight of at least 0", weight, "0 turns the gradient off");
  expect(
    Number.isInteger(steps) && steps >= 1,
    "accumulationSteps to be whole and at least 1",
    steps,
    "give the micro-batches of a step",
  );
  expect(
    out === undefined || out instanceof Tensor && out.size === 1,
    "out [1]",
    out,
    "leave it out",
  );
  expect(!accumulate || !!out, "out with accumulate", out, "give what the loss is added to");
  const patches = tokens - prefix;
  const fits = 4 * Math.max(1, Math.floor(CHUNK / (16 * patches)));
  const chunk = options.chunkRows ?? fits;
  const multiple = Number.isInteger(chunk) && chunk >= 4 && chunk % 4 === 0;
  expect(multiple, "chunkRows to be a multiple of 4", chunk, "leave it out for what fits 16 MiB");
  return { n, tokens, patches, dim, weight, weightAt, steps, out, accumulate, chunk };
}

function expect(ok: boolean, expected: string, found: unknown, remedy: string): void {
  if (ok) return;
  throw new HatchlingError(`gram: expected ${expected} but found ${describe(found)}: ${remedy}`);
}
