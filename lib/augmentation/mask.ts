/**
 * Which patches of a view are masked, as numbers of its address alone.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { MASK_DEFAULTS } from "../loss/defaults.ts";
import { Rng } from "../rng.ts";

/** Last part of the random addresses of masks, (seed, epoch, image, MASK) and (seed, epoch, image, view, MASK). */
const MASK = 0x6d61736b;

/** Smallest area of a block in patches, and how often one is drawn before it is given up, as in BEiT's code. */
const LEAST = 4, TRIES = 10;

/** How many of the global views are masked, and how much of each. */
export interface MaskOptions {
  /** Share of the global views that are masked, in (0, 1]; 0.5 by default. */
  maskProb?: number;
  /** Share of the patches of a masked view, at least; 0.1 by default. */
  maskRatioMin?: number;
  /** Share of the patches of a masked view, at most; 0.5 by default. */
  maskRatioMax?: number;
}

/** Which picture is meant. */
export interface MaskAddress {
  /** Seed of the run, an integer in [0, 2^53). */
  seed: number;
  /** Epoch, from 0. */
  epoch: number;
  /** Index of the picture in the data set. */
  image: number;
}

/**
 * The options with defaults filled in.
 *
 * @throws {HatchlingError} Naming the one that is out of range.
 */
export function maskOptions(given: MaskOptions = {}): Required<MaskOptions> {
  const options = {
    maskProb: given.maskProb ?? MASK_DEFAULTS.maskProb,
    maskRatioMin: given.maskRatioMin ?? MASK_DEFAULTS.maskRatioMin,
    maskRatioMax: given.maskRatioMax ?? MASK_DEFAULTS.maskRatioMax,
  };
  const { maskProb, maskRatioMin, maskRatioMax } = options;
  if (!(maskProb > 0 && maskProb <= 1)) {
    throw new HatchlingError(
      `Expected maskProb to be above 0 and at most 1 but found ${maskProb}: it is the share of the global views ` +
        `that are masked, ${MASK_DEFAULTS.maskProb} in DINOv2`,
    );
  }
  if (!(maskRatioMin >= 0 && maskRatioMin <= maskRatioMax && maskRatioMax <= 1)) {
    throw new HatchlingError(
      `Expected 0 ≤ maskRatioMin ≤ maskRatioMax ≤ 1 but found ${maskRatioMin} and ${maskRatioMax}: they are the ` +
        `least and the largest share of patches that is masked, ${MASK_DEFAULTS.maskRatioMin} and ` +
        `${MASK_DEFAULTS.maskRatioMax} in DINOv2`,
    );
  }
  return options;
}

/** Patches that a share of a view is: rounded down, as in DINOv2, but at least one. */
const count = (patches: number, ratio: number) => Math.max(1, Math.floor(patches * ratio));

/** Masked patches that a batch's global views have at most. */
export function mostMasked(
  { maskProb, maskRatioMax }: Required<MaskOptions>,
  { views, batch, patches }: { views: number; batch: number; patches: number },
): number {
  return Math.ceil(views * maskProb) * batch * count(patches, maskRatioMax);
}

/**
 * How many patches of each global view of a picture are masked; 0 where the view is not.
 *
 * A view is masked with probability `maskProb`, and of all views of a picture as many as that makes, rounded up or
 * down: with 0.5, one of two. The shares of masked patches are uniform in [maskRatioMin, maskRatioMax], spread
 * evenly over that range where several views of a picture are masked.
 *
 * @param patches Patches of a view.
 * @param views Global views of a picture.
 */
export function maskedCounts(
  { maskProb, maskRatioMin, maskRatioMax }: Required<MaskOptions>,
  patches: number,
  views: number,
  { seed, epoch, image }: MaskAddress,
): number[] {
  const rng = new Rng(seed, epoch, image, MASK);
  const start = rng.uniform();
  const upTo = (view: number) => Math.floor(start + view * maskProb);
  const masked = Array.from({ length: views }, (_, view) => view)
    .filter((view) => upTo(view + 1) > upTo(view));
  const order = rng.permutation(masked.length);
  const counts = new Array<number>(views).fill(0);
  masked.forEach((view, i) => {
    const place = (order[i] + rng.uniform()) / masked.length;
    counts[view] = count(patches, maskRatioMin + (maskRatioMax - maskRatioMin) * place);
  });
  return counts;
}

/**
 * A mask of blocks, as in BEiT (Bao et al. 2022, arXiv:2106.08254, algorithm 1) and iBOT (Zhou et al. 2022,
 * arXiv:2111.07832): rectangles of 4 patches or more, their aspect ratio between 0.3 and 1 / 0.3, are masked until
 * as many patches are as were asked for. Where no more rectangle fits, single patches fill up what is missing.
 *
 * @param rng Where its random numbers come from.
 * @param grid Patches down and across.
 * @param wanted Patches to mask, from 0 to all.
 * @returns [rows · cols], 1 where masked; exactly `wanted` of them.
 *
 * @example
 * ```ts
 * import { blockMask, Rng } from "@hatchling/hatchling/augmentation";
 *
 * const mask = blockMask(new Rng(0, 1, 2), [14, 14], 60);
 * console.log(mask.reduce((a, b) => a + b)); // 60
 * ```
 */
export function blockMask(
  rng: Rng,
  [rows, cols]: readonly [number, number],
  wanted: number,
): Uint32Array<ArrayBuffer> {
  const mask = new Uint32Array(rows * cols);
  let left = Math.min(wanted, mask.length);
  const draw = (): number => {
    const area = rng.uniform(Math.min(LEAST, left), left);
    const aspect = Math.exp(rng.uniform(Math.log(0.3), -Math.log(0.3)));
    const side = (length: number, most: number) => Math.min(most, Math.max(1, Math.round(length)));
    const [height, width] = [
      side(Math.sqrt(area * aspect), rows),
      side(Math.sqrt(area / aspect), cols),
    ];
    const [top, start] = [rng.int(rows - height + 1), rng.int(cols - width + 1)];
    const places: number[] = [];
    for (let y = top; y < top + height; y++) {
      for (let x = start; x < start + width; x++) {
        if (!mask[y * cols + x]) places.push(y * cols + x);
      }
    }
    if (places.length > left) return 0;
    for (const at of places) mask[at] = 1;
    return places.length;
  };
  for (let tries = 0; left > 0 && tries < TRIES; tries++) {
    const added = draw();
    left -= added;
    if (added > 0) tries = -1;
  }
  for (const at of left > 0 ? rng.permutation(mask.length) : []) {
    if (left === 0) break;
    if (mask[at]) continue;
    mask[at] = 1;
    left--;
  }
  return mask;
}

/** The mask of one global view, of which so many patches are masked. */
export function viewMask(
  grid: readonly [number, number],
  wanted: number,
  { seed, epoch, image }: MaskAddress,
  view: number,
): Uint32Array<ArrayBuffer> {
  return blockMask(new Rng(seed, epoch, image, view, MASK), grid, wanted);
}
