/**
 * Settings that fit the data: `preset: auto`.
 *
 * From the number of pictures, their size and the time that there is: the batch (`preset/batch.ts`), the model and its
 * views (`preset/shape.ts`), the length of the run (`preset/length.ts`), the objective, rates and momenta
 * (`preset/rates.ts`) and the views' crops and colours (`preset/views.ts`). Each rule tells what it was measured with;
 * `docs/guides/settings.md` has the table.
 *
 * @module
 */
import { type Config, configDefaults } from "./config.ts";
import { HatchlingError } from "./errors.ts";
import { fittingBatch } from "./preset/batch.ts";
import { evaluationShare, isContrastive, pictureFlops } from "./preset/cost.ts";
import { type Choice, Draft, type Given } from "./preset/draft.ts";
import { chooseEpochs, MANY, needsOf, SPENT, USUAL } from "./preset/length.ts";
import { chooseRates } from "./preset/rates.ts";
import { chooseShape } from "./preset/shape.ts";
import { chooseViews } from "./preset/views.ts";

export { fittingBatch } from "./preset/batch.ts";
export { type Choice, type Given, withValue } from "./preset/draft.ts";
export { durationText, parseDuration } from "./preset/duration.ts";
export { shortRun } from "./preset/length.ts";

/** What a run must at least last for. */
const WARMUPS = ["scheduler.warmup_epochs", "loss.warmup_teacher_temp_epochs"];

/** What the choice depends on. */
export interface PresetInput {
  /** The configuration as it was given. */
  config: Config;
  /** What the file or the command line set, by key: it stays, and what is chosen beside it agrees with it. */
  given: Given;
  /** Number of pictures N. */
  pictures: number;
  /** Pixels of the largest one. */
  largestPixels: number;
  /** Floating-point operations in a second of training, measured or guessed. */
  flopsPerSecond: number;
  /** Seconds that the run may take: it chooses the epochs, and the model with regard to them. */
  budget?: number;
  /** Refuses no budget: the speed is a guess. */
  tentative?: boolean;
  /** Leaves all but the epochs as it is. */
  onlyEpochs?: boolean;
  /** The run goes on from given weights, whose shape is given: a lower rate, less of it in the first layers. */
  fromWeights?: boolean;
}

/** What was chosen. */
export interface Chosen {
  /** The configuration with it. */
  config: Config;
  /** Key by key. */
  choices: Choice[];
}

/**
 * Chooses settings.
 *
 * @param input What is known.
 * @throws {HatchlingError} When the budget does not allow one epoch, or nothing was asked sensibly: no picture, or
 * a batch larger than all of them.
 *
 * @example
 * ```ts
 * import { configDefaults } from "./config.ts";
 * import { choosePreset } from "./preset.ts";
 *
 * const few = { pictures: 3000, largestPixels: 512 * 512, flopsPerSecond: 3e10 };
 * const { choices } = choosePreset({ config: configDefaults(), given: new Map(), ...few });
 * for (const { key, value, reason } of choices) console.log(`${key} ${value}: ${reason}`);
 * ```
 */
export function choosePreset(input: PresetInput): Chosen {
  const { given, pictures: n, largestPixels, flopsPerSecond, budget, fromWeights } = input;
  if (!(n >= 1)) {
    throw new HatchlingError(`Expected at least one picture but found ${n}: check data.path`);
  }
  const draft = new Draft(input.config, given);
  const few = `${n.toLocaleString("en")} pictures`;
  const micros = draft.value("training.gradient_accumulation_steps");
  const chooses = !input.onlyEpochs;

  const batch = chooses
    ? draft.choose("data.batch_size", fittingBatch(n, micros), `a quarter of ${few}, 8 to 64`)
    : draft.value("data.batch_size");
  const perStep = batch * micros, stepsPerEpoch = Math.floor(n / perStep);
  if (stepsPerEpoch < 1) {
    throw new HatchlingError(
      `Expected at least ${perStep} pictures, a step, but found ${n}: lower data.batch_size or ` +
        "training.gradient_accumulation_steps",
    );
  }
  if (chooses) {
    if (!fromWeights) chooseObjective(draft, { pictures: n, batch, largestPixels });
    const flops = flopsPerSecond * SPENT * (budget ?? USUAL);
    const flopsPerPicture = flops / (needsOf(draft.config, fromWeights).enough * perStep);
    const follow = (draft: Draft) => {
      chooseViews(draft, largestPixels);
      chooseHead(draft, n, fromWeights);
    };
    chooseShape(draft, { pictures: n, largestPixels, flopsPerPicture, follow });
  }
  const { config } = draft;
  const secondsPerEpoch = stepsPerEpoch * perStep * pictureFlops(config) / flopsPerSecond;
  chooseEpochs(draft, {
    pictures: n,
    fromWeights,
    stepsPerEpoch,
    refuses: !input.tentative,
    warmups: WARMUPS.filter((key) => !chooses || draft.has(key)),
    secondsPerEpoch,
    evaluation: evaluationShare(config, n),
    budget,
  });
  if (chooses) {
    chooseRates(draft, {
      pictures: n,
      perStep,
      stepsPerEpoch,
      contrastive: isContrastive(draft.config),
      fromWeights,
    });
    const epochs = draft.value("training.num_epochs");
    draft.choose(
      "checkpoint.save_every_n_epochs",
      Math.max(1, Math.round(epochs / SAVES)),
      `${SAVES} times in ${epochs} epochs of ${stepsPerEpoch} steps`,
    );
  }
  return { config: draft.config, choices: draft.choices };
}

/**
 * Operations in a second of training, where nobody has measured them: of two processor cores that play the GPU, or of
 * a GPU of a few years ago.
 */
export const guessedSpeed = (isSoftware: boolean): number => isSoftware ? 3e10 : 1e12;

let keys: ReadonlySet<string> | undefined;

/** Keys that {@linkcode choosePreset} may set. */
export function presetKeys(): ReadonlySet<string> {
  const config = configDefaults(), given = new Map();
  const speed = { largestPixels: 1e6, flopsPerSecond: 1e15 };
  return keys ??= new Set(
    [1000, 1e7].flatMap((pictures) =>
      [false, true].flatMap((fromWeights) =>
        choosePreset({ config, given, pictures, fromWeights, ...speed }).choices
      ).map(({ key }) => key)
    ),
  );
}

/** What to expect of a run with so many pictures and nothing else, in words. */
export function expectation(pictures: number, fromWeights = false): string {
  const n = pictures.toLocaleString("en");
  if (fromWeights) {
    return `from given weights and ${n} pictures, expect what they know, fitted to these`;
  }
  const learns = pictures < MANY
    ? `from ${n} pictures alone, expect features that find crops, copies and similar scenes among them, not ones that ` +
      "know what is shown"
    : `from ${n} pictures, expect features for pictures like them`;
  return `${learns}; published weights are better where they can be had: docs/guides/models.md`;
}

/** Fewest pictures of a batch for the contrastive term: all others of the batch are what a view is told from. */
const FEWEST_OTHERS = 8;

/** Side in pixels up to which pictures are drawings of one thing in its place. */
const ICON = 64;

/**
 * What is learned, and what is read out. On 7,572 pictures of 32 pixels in 560 steps, DINO's loss with a contrastive
 * term on quadrants found the same emoji in another drawing in 37 % of cases, DINO's alone in 31 %, with patch tokens
 * as features; sixteen cells of them found it in 36 %, four in 30 %. On 2,079 photographs of 128 pixels in six minutes
 * four cells found another crop of the picture in 22 % of cases and the scene by neighbours in 42 %, sixteen in 15 and
 * 38 % (docs/results.md).
 */
function chooseObjective(
  draft: Draft,
  { pictures: n, batch, largestPixels }: { pictures: number; batch: number; largestPixels: number },
): void {
  if (draft.value<string>("loss.objective") !== "dino") return;
  const suits = n < MANY && batch >= FEWEST_OTHERS;
  const weight = draft.choose(
    "loss.contrastive_weight",
    suits ? 1 : 0,
    suits
      ? `DINO and a contrastive term: ${n.toLocaleString("en")} pictures teach it sooner`
      : n < MANY
      ? `${batch} pictures of a batch are too few to be told apart`
      : `DINO alone, for ${n.toLocaleString("en")} pictures`,
  );
  if (weight === 0) return;
  draft.choose("loss.contrastive_feature", "quad", "patch tokens of the four quarters of a view");
  if (draft.has("model.feature")) return; // what is read out is that, too
  const side = Math.round(Math.sqrt(largestPixels));
  const [feature, why] = side <= ICON
    ? ["grid", `things lie in one place in pictures of ${side} px`]
    : ["quad", `things lie anywhere in pictures of ${side} px`];
  draft.choose(
    "evaluation.feature",
    feature,
    `${why}; the class token learns little in a short run`,
  );
}

/** Checkpoints of a run: an epoch of few pictures takes seconds. */
const SAVES = 20;

/** The head, and how the weights begin. */
function chooseHead(draft: Draft, n: number, fromWeights = false): void {
  const dim = draft.value("model.dim"),
    isSmall = draft.value<string>("model.backbone") === "custom";
  if (isSmall) {
    const why = `for a model ${dim} wide`;
    draft.choose("model.projection_hidden_dim", 2 ** Math.floor(Math.log2(4 * dim)), why);
    draft.choose("model.projection_bottleneck_dim", 64, why);
    if (!fromWeights) {
      draft.choose("model.drop_path_rate", 0, `${draft.value("model.depth")} blocks are few`);
    }
  }
  if (fromWeights) {
    draft.choose("model.drop_path_rate", 0.1, "against learning few pictures by heart");
  }
  draft.choose(
    "model.projection_output_dim",
    Math.min(65536, Math.max(1024, 2 ** Math.round(Math.log2(n / 4)))),
    `K: the power of two next to N / 4 for N = ${n.toLocaleString("en")}, 1,024 to 65,536`,
  );
  draft.choose(
    "model.init_std",
    Number((0.4 / Math.sqrt(dim)).toPrecision(2)),
    `0.4 / √${dim}, as DINO's 0.02 is at a width of 384`,
  );
}
