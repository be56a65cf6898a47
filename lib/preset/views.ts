/**
 * How views are cut and coloured, by what they hold: few pixels say little, and bear less.
 *
 * Through two observations: half of DINO's colour jitter and four local crops of 20 to 60 % of a picture, found by
 * experiment on pictures of 32 pixels, and DINO's own settings for views of 224. Between the two they go with the
 * logarithm of the side.
 *
 * @module
 */
import { AUGMENTATION_DEFAULTS } from "../augmentation/options.ts";
import type { Draft } from "./draft.ts";

const { numLocalViews, views: { local } } = AUGMENTATION_DEFAULTS;
const { brightness, contrast, saturation, hue } = local;
const MIN = "augmentation.local_crop_scale_min", MAX = "augmentation.local_crop_scale_max";

const mix = (a: number, b: number, share: number) => a + (b - a) * share;
const round = (x: number) => Number(x.toPrecision(2));

/**
 * Local views and the strength of their colours.
 *
 * @param largestPixels Pixels of the largest picture: however large a crop is made, it holds no more.
 */
export function chooseViews(draft: Draft, largestPixels: number): void {
  const side = Math.min(draft.value("augmentation.global_crop_size"), Math.sqrt(largestPixels));
  const large = Math.min(1, Math.max(0, Math.log2(side / 32) / Math.log2(224 / 32)));
  const views = `views of ${Math.round(side)} px hold ${
    large < 1 ? "little" : "as much as DINO's"
  }`;
  const most = draft.has(MAX) ? draft.value(MAX) : 1;
  const least = draft.choose(
    MIN,
    Math.min(round(mix(0.2, local.cropScale[0], large)), most),
    views,
  );
  draft.choose(MAX, Math.max(round(mix(0.6, local.cropScale[1], large)), least), views);
  draft.choose("augmentation.num_local_views", Math.round(mix(4, numLocalViews, large)), views);
  const strength = mix(0.5, 1, large), why = `${Math.round(100 * strength)} % of DINO's: ${views}`;
  for (const [name, full] of Object.entries({ brightness, contrast, saturation, hue })) {
    draft.choose(`augmentation.${name}`, round(full * strength), why);
  }
}
