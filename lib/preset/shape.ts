/**
 * Which model, and which views: by the number of pictures, their size and the time that there is.
 *
 * @module
 */
import { BACKBONES } from "../config/backbones.ts";
import { count } from "../words.ts";
import type { Draft } from "./draft.ts";
import { pictureFlops } from "./cost.ts";

/** Dimensions of a head: DINO has six of 64. Narrow models do with 32. */
const HEAD = 32;

/** A model with its views. */
export interface Rung {
  /** Side of a global and of a local view in pixels. */
  views: [global: number, local: number];
  /** Side of a patch in pixels. */
  patch: number;
  /** A named backbone, or width and depth of another. */
  model: keyof typeof BACKBONES | { dim: number; depth: number };
  /** Pictures from which it is worth its time. */
  pictures: number;
}

/**
 * From the smallest to the largest. The first two are those of `configs/small.yaml` and `configs/emoji.yaml`, the
 * last one is DINO's for ImageNet; what lies between doubles or triples the cost from one to the next.
 */
export const RUNGS: readonly Rung[] = [
  { views: [32, 16], patch: 8, model: { dim: 64, depth: 3 }, pictures: 1 },
  { views: [32, 16], patch: 8, model: { dim: 96, depth: 4 }, pictures: 1 },
  { views: [48, 24], patch: 8, model: { dim: 96, depth: 4 }, pictures: 1 },
  { views: [64, 32], patch: 8, model: { dim: 128, depth: 4 }, pictures: 1 },
  { views: [64, 32], patch: 8, model: { dim: 192, depth: 6 }, pictures: 1000 },
  { views: [128, 64], patch: 16, model: "vit_tiny", pictures: 10_000 },
  { views: [224, 96], patch: 16, model: "vit_tiny", pictures: 100_000 },
  { views: [224, 96], patch: 16, model: "vit_small", pictures: 1_000_000 },
];

/** What decides. */
export interface ShapeInput {
  /** Pictures of the data set. */
  pictures: number;
  /** Pixels of the largest one. */
  largestPixels: number;
  /** Floating-point operations that there is time for, for a picture of a step. */
  flopsPerPicture: number;
  /** Chooses what follows from a rung and costs time too. */
  follow: (draft: Draft) => void;
}

/** Chooses the largest rung that pictures, their size and the time allow; the smallest where none is. */
export function chooseShape(draft: Draft, input: ShapeInput): void {
  const { pictures, flopsPerPicture, follow } = input, side = Math.sqrt(input.largestPixels);
  const barrier = (rung: Rung): string | undefined => {
    if (rung.pictures > pictures) {
      return `${count(pictures)} pictures; more is for ${count(rung.pictures)}`;
    }
    if (rung.views[0] > side && rung !== RUNGS[0]) {
      return `the largest picture has ${Math.round(side)} px a side`;
    }
    const tried = draft.clone();
    climb(tried, rung, "");
    follow(tried);
    if (pictureFlops(tried.config) > flopsPerPicture) {
      return "more would take longer than there is time for";
    }
  };
  const barriers = RUNGS.map(barrier);
  const at = Math.max(0, barriers.lastIndexOf(undefined));
  climb(draft, RUNGS[at], barriers[at + 1] ?? barriers[at] ?? `for ${count(pictures)} pictures`);
  follow(draft);
}

/** Takes a rung; what is set stays, and the rest agrees with it. */
function climb(draft: Draft, { views, patch, model }: Rung, why: string): void {
  const goes = `goes with views of ${views[0]} px`;
  const side = draft.choose("model.patch_size", fittingPatch(draft, patch), goes);
  const whole = (pixels: number) => Math.max(1, Math.round(pixels / side)) * side;
  const least = draft.has(LOCAL) ? draft.value(LOCAL) : 0;
  const global = draft.choose(GLOBAL, Math.max(whole(views[0]), least), why);
  draft.choose(LOCAL, Math.min(whole(global * views[1] / views[0]), global), goes);

  const isShaped = SHAPE.some((name) => draft.has(`model.${name}`));
  const named = typeof model === "string";
  const backbone = draft.choose<string>(
    "model.backbone",
    named && !isShaped ? model : "custom",
    named && isShaped ? "as the model's width, depth or heads are set" : why,
  );
  if (backbone === "custom") {
    const { dim, depth } = named ? BACKBONES[model] : model;
    const heads = draft.has("model.heads") ? draft.value("model.heads") : 1;
    const width = draft.choose("model.dim", Math.ceil(dim / heads) * heads, goes);
    draft.choose("model.depth", Math.max(depth, draft.value("evaluation.last_blocks")), goes);
    draft.choose("model.heads", headsOf(width), `about ${HEAD} dimensions each`);
    return;
  }
  const shape = BACKBONES[backbone as keyof typeof BACKBONES];
  for (const name of SHAPE) draft.derive(`model.${name}`, shape[name]);
}

const GLOBAL = "augmentation.global_crop_size", LOCAL = "augmentation.local_crop_size";
const SHAPE = ["dim", "depth", "heads"] as const;

/** The patch that is next to the wanted one and divides the views that are set. */
function fittingPatch(draft: Draft, wanted: number): number {
  const sides = [GLOBAL, LOCAL].filter((key) => draft.has(key)).map((key) => draft.value(key));
  if (!sides.length) return wanted;
  const fits = (patch: number) => sides.every((side) => side % patch === 0);
  const patches = Array.from({ length: Math.min(...sides) }, (_, i) => i + 1).filter(fits);
  const far = (patch: number) => Math.abs(Math.log2(patch / wanted));
  return patches.reduce((best, patch) => far(patch) < far(best) ? patch : best);
}

/** Heads of a width: as many as have about {@linkcode HEAD} dimensions, and divide it. */
function headsOf(dim: number): number {
  let heads = Math.max(1, Math.round(dim / HEAD));
  while (dim % heads) heads--;
  return heads;
}
