/**
 * The parameters of a view, in words.
 *
 * @module
 */
import type {
  AugmentationOptions,
  AugmentOp,
  ResizedCropOp,
  ViewKind,
  ViewOptions,
  ViewParameters,
} from "../augmentation.ts";
import { percent, short } from "../words.ts";

/** Kind of a view by its place: global ones come first. */
export function kindOf(view: number, { nGlobalCrops }: AugmentationOptions): ViewKind {
  return view >= nGlobalCrops ? "local" : view === 0 ? "global1" : "global2";
}

/** Label of a view, "G1" or "L3", as drawn into its box. */
export function labelOf(view: number, { nGlobalCrops }: AugmentationOptions): string {
  return view < nGlobalCrops ? `G${view + 1}` : `L${view - nGlobalCrops + 1}`;
}

/** Name of a view, "global view 1". */
export function nameOf(view: number, { nGlobalCrops }: AugmentationOptions): string {
  return view < nGlobalCrops ? `global view ${view + 1}` : `local view ${view - nGlobalCrops + 1}`;
}

/** The crop of a view; every view has one. */
export function cropOf({ ops }: ViewParameters): ResizedCropOp {
  return ops.find((op) => op.op === "resized_crop")!;
}

/** What happens to a view, one phrase per operation in their order; normalisation is not shown. */
export function phrasesOf(view: ViewParameters): string[] {
  return view.ops.filter(({ op }) => op !== "normalize").map((op) => phrase(op, view));
}

/** What happens to a view at a glance: the share of its crop, then a word for each operation. */
export function tagsOf(view: ViewParameters): string[] {
  const { width, height } = cropOf(view);
  const words = view.ops.flatMap(({ op }) => TAGS[op] ?? []);
  return [percent(width * height / (view.width * view.height)), ...new Set(words)];
}

const TAGS: Partial<Record<AugmentOp["op"], string>> = {
  hflip: "flip",
  brightness: "colour",
  contrast: "colour",
  saturation: "colour",
  hue: "colour",
  grayscale: "gray",
  gaussian_blur: "blur",
  solarize: "solarized",
};

function phrase(op: AugmentOp, { width, height }: ViewParameters): string {
  switch (op.op) {
    case "resized_crop": {
      const share = percent(op.width * op.height / (width * height));
      return `crop of ${op.width} × ${op.height} px at (${op.left}, ${op.top}), ${share} of the area, ` +
        `resized to ${op.size} × ${op.size}`;
    }
    case "hflip":
      return "flipped left to right";
    case "hue":
      return `hue turned by ${(360 * op.factor).toFixed(1).replace("-", "−")}°`;
    case "brightness":
    case "contrast":
    case "saturation":
      return `${op.op} × ${op.factor.toFixed(2)}`;
    case "grayscale":
      return "made gray";
    case "gaussian_blur":
      return `blurred, σ ${op.sigma.toFixed(2)} px`;
    case "solarize":
      return `solarized: levels from ${op.threshold} on inverted`;
    case "normalize":
      return "normalised";
  }
}

/** A table of what views are made with: its head, and a row for each setting. */
export function settingsTable(options: AugmentationOptions): { head: string[]; rows: string[][] } {
  const { nGlobalCrops: g, numLocalViews: l, channels } = options;
  const kinds = ([["global1", "global view 1"], [
    "global2",
    g === 2 ? "global view 2" : `global views 2 to ${g}`,
  ], [
    "local",
    l === 1 ? "local view 1" : `local views 1 to ${l}`,
  ]] as [ViewKind, string][]).filter(([kind]) =>
    kind === "global1" || (kind === "local" ? l > 0 : g > 1)
  );
  const row = (name: string, cell: (view: ViewOptions, kind: ViewKind) => string) => [
    name,
    ...kinds.map(([kind]) => cell(options.views[kind], kind)),
  ];
  const chance = (p: number, what = "") =>
    p === 0 ? "never" : `${percent(p)}${what && `: ${what}`}`;
  const factor = (b: number) =>
    b === 0 ? "as it is" : `× ${short(Math.max(0, 1 - b))} to ${short(1 + b)}`;
  const side = (kind: ViewKind) =>
    kind === "local" ? options.localCropSize : options.globalCropSize;
  const several = channels === 1 || channels === 3;
  const rows = [
    row("size", (_, kind) => `${side(kind)} × ${side(kind)} px`),
    row("area of the crop", ({ cropScale: [a, b] }) => `${percent(a)} to ${percent(b)}`),
    row("width / height", ({ aspectRatio: [a, b] }) => `${short(a)} to ${short(b)}`),
    row("flip", (v) => chance(v.horizontalFlipProb)),
    row(
      "colour jitter",
      (v) => chance(v.colorJitterProb, several ? "all of these, in random order" : ""),
    ),
    row("· brightness", (v) => factor(v.brightness)),
  ];
  if (several) rows.push(row("· contrast", (v) => factor(v.contrast)));
  if (channels === 3) {
    rows.push(
      row("· saturation", (v) => factor(v.saturation)),
      row("· hue", (v) => v.hue === 0 ? "as it is" : `± ${short(360 * v.hue)}°`),
      row("gray", (v) => chance(v.grayscaleProb)),
    );
  }
  rows.push(
    row(
      "blur",
      ({ gaussianBlurProb: p, gaussianBlurSigma: [a, b] }) =>
        chance(p, `σ ${short(a)} to ${short(b)} px`),
    ),
    row("solarization", (v) => chance(v.solarizationProb, `from level ${v.solarizationThreshold}`)),
  );
  return { head: ["", ...kinds.map(([, name]) => name)], rows };
}
