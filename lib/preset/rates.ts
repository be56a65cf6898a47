/**
 * Rates, momenta and temperatures: what depends on the pictures of a step and the steps of a run.
 *
 * Two recipes were measured here on 7,572 pictures of 32 pixels, with steps of 64: DINO's loss alone with
 * transformers 64 and 96 wide (rate 2e-3, teacher 0.98, 1,180 to 9,440 steps), and with a contrastive term beside it,
 * 64 wide (rate 5e-3, 470 to 560 steps). The other end is DINO's recipe for ImageNet, ViT-S in steps of 1,024
 * (Caron et al. 2021, section 3.2 and the defaults of `main_dino.py`).
 *
 * @module
 */
import { resnetLayers } from "../config/backbones.ts";
import { LOSS_KEYS } from "../config/schema_loss.ts";
import { count } from "../words.ts";
import type { Draft } from "./draft.ts";

/** What the choice depends on. */
export interface RatesInput {
  /** Number of pictures N. */
  pictures: number;
  /** Pictures of a step. */
  perStep: number;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Whether a contrastive term stands beside DINO's loss. */
  contrastive: boolean;
  /** Whether the run goes on from given weights. */
  fromWeights?: boolean;
}

const TEMPERATURE = LOSS_KEYS.teacher_temp[1];

const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const round = (x: number, digits = 2) => Number(x.toPrecision(digits));

/** Momentum whose average forgets half within so many steps. */
const momentum = (steps: number) => round(1 - round(Math.LN2 / steps, 3), 12);

/** 0 up to 10⁴ pictures, 1 from 10⁶. */
const manyOf = (pictures: number) => clamp((Math.log10(pictures) - 4) / 2, 0, 1);

/** Chooses what the loss and the optimiser are told. */
export function chooseRates(draft: Draft, input: RatesInput): void {
  const { pictures: n, perStep, stepsPerEpoch } = input;
  const many = manyOf(n), few = `${count(n)} pictures`;
  const epochs = draft.value("training.num_epochs"), steps = epochs * stepsPerEpoch;
  const warm = draft.choose(
    "loss.teacher_temp",
    round(0.03 + (TEMPERATURE - 0.03) * many, 3),
    many === 1 ? `DINO's, for ${few}` : `${few}: with few, ${TEMPERATURE} stays near uniform`,
  );
  draft.choose("loss.warmup_teacher_temp", warm, "as loss.teacher_temp: it is low already");

  // A half-life of 2,200 pictures at N = 7,572 (0.98 at 64, 0.99 at 32), of 177,000 on ImageNet (0.996 at 1,024). 34
  // steps, 0.98, are the fewest: with 0.95 and a contrastive term DINO's part collapsed to one peak.
  const halfLife = clamp(2200 * (n / 7572) ** 0.855 / perStep, 34, Math.max(34, steps / 30));
  const last = draft.has(FINAL) ? draft.value(FINAL) : 1;
  const first = draft.choose(
    "training.teacher_momentum",
    Math.min(momentum(halfLife), last),
    `half is forgotten in ${count(Math.round(halfLife))} of ${count(steps)} steps`,
  );
  draft.choose(
    FINAL,
    Math.max(first, momentum(Math.max(halfLife, 0.2 * steps))),
    "at the end in a fifth of the run",
  );
  draft.choose(
    "training.freeze_last_layer",
    epochs < 10 ? 0 : 1,
    epochs < 10 ? `an epoch would be 1 / ${epochs} of the run` : "DINO's: the first epoch",
  );

  chooseRate(draft, input);
  if (input.fromWeights) chooseForWeights(draft, epochs);
  const decay = draft.value("optimizer.weight_decay");
  draft.choose(
    "optimizer.weight_decay_end",
    round(decay * 10 ** many),
    many ? `from ${decay}, for ${few}` : `constant at ${decay}, as ${few} are few`,
  );
  draft.choose(
    "scheduler.warmup_epochs",
    round(Math.min(epochs / 10, Math.max(10, WARM_STEPS / stepsPerEpoch))),
    `a tenth of the run, ten epochs or ${WARM_STEPS} steps at most`,
  );
}

const FINAL = "training.teacher_momentum_final";

/** Longest warm-up where epochs are short, in steps. */
const WARM_STEPS = 240;

/** Given weights are to be kept: early layers learn slowly, and a new head does not spoil them. */
function chooseForWeights(draft: Draft, epochs: number): void {
  // Rates by depth are for blocks of transformers.
  if (!resnetLayers(draft.value<string>("model.backbone"))) {
    draft.choose("optimizer.layer_decay", 0.75, "given weights: early layers know most already");
  }
  draft.choose(
    "training.head_warmup_epochs",
    Math.round(epochs / 10),
    "a tenth of the run: the new head alone learns",
  );
}

/** The peak rate, in the unit that the configuration has or is free to take. */
function chooseRate(draft: Draft, { perStep, contrastive, fromWeights }: RatesInput): void {
  if (draft.has("optimizer.lr")) return; // its unit is then that of the file, too
  const scales = draft.choose("optimizer.lr_scale_by_batch", false, "optimizer.lr is meant as is");
  const [peak, width] = contrastive ? [5e-3, 64] : [2e-3, 96];
  const dim = draft.value("model.dim");
  const anew = Math.min(peak, peak * perStep / 64 * Math.min(1, width / dim) ** 2);
  const rate = fromWeights ? anew / 2 : anew;
  draft.choose(
    "optimizer.lr",
    round(scales ? rate * 256 / perStep : rate, 3),
    (fromWeights ? "given weights: half of " : "") +
      `${peak} · ${perStep} / 64 · min(1, ${width} / ${dim})², ${peak} at most` +
      (scales ? ", per 256 pictures" : ""),
  );
}
