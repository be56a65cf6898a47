/** What `preset: auto` chooses, for 1 to a billion pictures. */
import assert from "node:assert/strict";
import { configDefaults, givenValues, parseConfig, stringifyConfig } from "../../lib/config.ts";
import { valueAt } from "../../lib/config/describe.ts";
import { choosePreset, expectation, presetKeys } from "../../lib/preset.ts";
import { needsOf, stepsOf } from "../../lib/preset/length.ts";
import { pictureFlops } from "../../lib/preset/cost.ts";

const SIZES = [100, 1000, 7572, 60_000, 1_281_167];
/** Two cores that play the GPU, and a GPU of a data centre. */
const LAPTOP = 3e10, LARGE = 1e15;

interface Input {
  pictures: number;
  text?: string;
  largestPixels?: number;
  speed?: number;
  budget?: number;
}

const chosen = ({ pictures, text = "", speed = LAPTOP, largestPixels = 2 ** 18, budget }: Input) =>
  choosePreset({
    config: parseConfig(`preset: auto\n${text}`),
    given: givenValues(text),
    pictures,
    largestPixels,
    flopsPerSecond: speed,
    budget,
  });

/** Choices by key. */
const valuesOf = (input: Input) =>
  Object.fromEntries(chosen(input).choices.map(({ key, value }) => [key, value])) as Record<
    string,
    number
  >;

/** Small pictures and the model of configs/emoji.yaml. */
const EMOJI = { pictures: 7572, largestPixels: 1024 };
const WIDE = "model: {backbone: custom, dim: 96, depth: 4, heads: 3}\n";
const ALONE = `${WIDE}loss: {contrastive_weight: 0}\n`; // DINO's loss

const near = (found: number, expected: number, share: number, what = "") =>
  assert.ok(Math.abs(found / expected - 1) <= share, `${what} ${found} is not about ${expected}`);

Deno.test("choosePreset() gives DINO's recipe for ImageNet in batches of 1,024", () => {
  const text = "data: {batch_size: 1024}";
  const found = valuesOf({ pictures: 1_281_167, speed: LARGE, text });
  const dino = configDefaults();
  for (const [key, value] of Object.entries(found)) {
    if (/^optimizer\.lr|teacher_momentum|save_every/.test(key)) continue;
    assert.equal(value, valueAt(dino, key), key);
  }
  near(found["optimizer.lr"], 0.0005 * 1024 / 256, 1e-9, "lr");
  near(1 - found["training.teacher_momentum"], 1 - 0.996, 0.01, "1 − teacher_momentum");
  assert.ok(found["training.teacher_momentum_final"] > 0.9999);
});

Deno.test("choosePreset() gives what was found by experiment with DINO alone on the emoji", () => {
  const found = valuesOf({ ...EMOJI, text: ALONE + "training: {num_epochs: 80}" });
  assert.deepEqual([found["augmentation.num_local_views"], found["augmentation.hue"]], [4, 0.05]);
  assert.equal(found["augmentation.local_crop_scale_min"], 0.2);
  assert.equal(found["augmentation.local_crop_scale_max"], 0.6);
  assert.equal(found["loss.teacher_temp"], 0.03);
  assert.equal(found["loss.warmup_teacher_temp"], 0.03);
  assert.equal(found["optimizer.lr"], 2e-3);
  assert.equal(found["optimizer.weight_decay_end"], 0.04);
  assert.equal(found["model.projection_output_dim"], 2048);
  near(found["model.init_std"], 0.04, 0.2, "init_std");
  near(1 - found["training.teacher_momentum"], 0.02, 0.02, "1 − teacher_momentum");
  // In steps of 32, and 0.999 over 20 epochs, 0.9995 over 60.
  const half = valuesOf({ ...EMOJI, text: ALONE + "data: {batch_size: 32}" });
  near(1 - half["training.teacher_momentum"], 0.01, 0.02, "1 − teacher_momentum");
  assert.equal(half["optimizer.lr"], 1e-3);
  const final = (epochs: number) =>
    1 - valuesOf({ ...EMOJI, text: `${ALONE}training: {num_epochs: ${epochs}}` })[
      "training.teacher_momentum_final"
    ];
  near(final(20), 1e-3, 0.5);
  near(final(60), 5e-4, 0.1);
});

Deno.test("choosePreset() gives what was found by experiment with a contrastive term on the emoji", () => {
  const small = "model: {backbone: custom, dim: 64, depth: 3, heads: 2}\n";
  const found = valuesOf({ ...EMOJI, text: `${small}training: {num_epochs: 5}` });
  assert.equal(found["loss.contrastive_weight"], 1);
  assert.equal(found["loss.contrastive_feature"], "quad" as never);
  assert.equal(found["evaluation.feature"], "grid" as never);
  assert.equal(found["data.batch_size"], 64);
  assert.equal(found["optimizer.lr"], 5e-3);
  near(1 - found["training.teacher_momentum"], 0.02, 0.03);
  near(1 - found["training.teacher_momentum_final"], 5e-3, 0.25);
  assert.equal(found["scheduler.warmup_epochs"], 0.5);
});

Deno.test("choosePreset() adds the contrastive term to few pictures, in batches that tell them apart", () => {
  const weight = (pictures: number, text = "") =>
    chosen({ pictures, text, speed: LARGE }).config.loss.contrastive_weight;
  assert.deepEqual([7, 8, 300, 99_999, 100_000, 1e7].map((n) => weight(n)), [0, 1, 1, 1, 0, 0]);
  assert.deepEqual([4, 8].map((n) => weight(300, `data: {batch_size: ${n}}`)), [0, 1]);
  const of = (text: string) => chosen({ pictures: 300, text }).config;
  const alone = of("loss: {contrastive_weight: 0}");
  assert.deepEqual([alone.evaluation.feature, alone.loss.contrastive_feature], ["class", "class"]);
  const half = of("loss: {contrastive_weight: 0.5, contrastive_feature: mean}").loss;
  assert.deepEqual([half.contrastive_weight, half.contrastive_feature], [0.5, "mean"]);
  assert.equal(of("model: {feature: quad}").evaluation.feature, "quad");
  assert.equal(of("evaluation: {feature: mean}").evaluation.feature, "mean");
  const other = of("loss: {objective: infonce}\nmodel: {feature: quad}");
  assert.deepEqual([other.loss.contrastive_weight, other.optimizer.lr], [0, of("").optimizer.lr]);
});

Deno.test("choosePreset() reads places out of small pictures, quarters out of large ones", () => {
  const feature = (side: number) =>
    chosen({ pictures: 2000, largestPixels: side ** 2 }).config.evaluation.feature;
  assert.deepEqual([28, 32, 64, 65, 128, 1000].map(feature), [
    ...["grid", "grid", "grid"],
    ...["quad", "quad", "quad"],
  ]);
});

Deno.test("choosePreset() takes an hour where nobody says how long", () => {
  for (const pictures of [300, 3000, 20_000, 60_000]) {
    const { config } = chosen({ pictures });
    const each = config.data.batch_size * pictureFlops(config) / LAPTOP;
    const seconds = stepsOf(config, pictures).all * each;
    assert.ok(seconds < 3700, `${seconds} s for ${pictures}`);
  }
});

Deno.test("choosePreset() pins what 100 to 1.3 million pictures get, and moves one way", () => {
  const all = SIZES.map((pictures) => valuesOf({ pictures, speed: LARGE }));
  const column = (key: string) => all.map((one) => one[key]);
  assert.deepEqual(column("data.batch_size"), [16, 64, 64, 64, 64]);
  assert.deepEqual(column("augmentation.global_crop_size"), [64, 64, 64, 128, 224]);
  assert.deepEqual(column("model.projection_output_dim"), [1024, 1024, 2048, 16384, 65536]);
  assert.deepEqual(column("loss.teacher_temp"), [0.03, 0.03, 0.03, 0.0339, 0.04]);
  assert.deepEqual(column("optimizer.weight_decay_end"), [0.04, 0.04, 0.04, 0.098, 0.4]);
  for (const key of ["training.teacher_momentum", "loss.teacher_temp"]) {
    const found = column(key);
    for (let i = 1; i < found.length; i++) assert.ok(found[i] >= found[i - 1], `${key} ${found}`);
  }
  for (const [i, pictures] of SIZES.entries()) {
    const { config } = chosen({ pictures, speed: LARGE });
    assert.ok(stepsOf(config, pictures).all >= needsOf(config).enough);
    assert.ok(all[i]["training.teacher_momentum_final"] > all[i]["training.teacher_momentum"]);
    assert.ok(all[i]["training.teacher_momentum_final"] < 1);
  }
});

Deno.test("choosePreset() leaves the centre to DINO's 0.9, however few pictures a step has", () => {
  for (const pictures of [1, 20, 300, 7572, 1e6]) {
    for (const text of ["", "data: {batch_size: 1}"]) {
      assert.equal(chosen({ pictures, text }).config.loss.center_momentum, 0.9);
    }
  }
});

Deno.test("choosePreset() climbs with the time that there is, and no further than the pictures", () => {
  const flops = (input: Input) => pictureFlops(chosen(input).config);
  for (const pictures of [300, 5000, 200_000]) {
    const times = [60, 600, 3600, 36_000, 1e7].map((budget) =>
      flops({ pictures, budget, text: "training: {num_epochs: 100}" })
    );
    for (let i = 1; i < times.length; i++) assert.ok(times[i] >= times[i - 1]);
    assert.ok(times.at(-1)! > 5 * times[0], `${times}`);
  }
  // Few thousand photographs on a laptop: a small model, and an hour rather than days.
  for (const pictures of [300, 1000, 5000]) {
    const { config } = chosen({ pictures });
    const { dim, patch_size } = config.model, { global_crop_size: side } = config.augmentation;
    assert.ok(dim >= 64 && dim <= 192 && patch_size === 8 && side >= 32 && side <= 64);
    assert.equal(config.data.batch_size, 64);
    const steps = stepsOf(config, pictures).all;
    assert.ok(steps * 64 * pictureFlops(config) / LAPTOP < 1.5 * 3600);
  }
  const most = (pictures: number) => chosen({ pictures, speed: LARGE }).config;
  assert.deepEqual([300, 1000].map((n) => most(n).model.dim), [128, 192]);
  assert.deepEqual([9999, 1e4, 1e5, 1e6].map((n) => most(n).model.backbone), [
    "custom",
    "vit_tiny",
    "vit_tiny",
    "vit_small",
  ]);
});

Deno.test("choosePreset() makes views no larger than the pictures", () => {
  const views = (side: number) =>
    chosen({ pictures: 1e6, speed: LARGE, largestPixels: side * side }).config.augmentation;
  assert.deepEqual([20, 32, 50, 64, 200, 224].map((side) => views(side).global_crop_size), [
    32,
    32,
    48,
    64,
    128,
    224,
  ]);
});

Deno.test("choosePreset() follows what views hold, however much crops enlarge them", () => {
  const crops = { pictures: 7572, text: "augmentation: {global_crop_size: 224}" };
  const tiny = valuesOf({ ...crops, largestPixels: 1024 });
  assert.equal(tiny["augmentation.hue"], 0.05);
  assert.equal(tiny["augmentation.local_crop_scale_min"], 0.2);
  assert.equal(valuesOf({ ...crops, largestPixels: 1e6 })["augmentation.hue"], 0.1);
  const between = valuesOf({ pictures: 7572, text: "augmentation: {global_crop_size: 96}" });
  assert.ok(between["augmentation.hue"] > 0.05 && between["augmentation.hue"] < 0.1);
});

Deno.test("choosePreset() takes batches of a step as the one batch that they are", () => {
  const whole = valuesOf({ ...EMOJI, text: "data: {batch_size: 64}" });
  const text = "data: {batch_size: 16}\ntraining: {gradient_accumulation_steps: 4}";
  assert.deepEqual(valuesOf({ ...EMOJI, text }), whole);
});

Deno.test("choosePreset() leaves out what is given, and agrees with it", () => {
  const of = (text: string) => valuesOf({ ...EMOJI, text: ALONE + text });
  const lr = of("optimizer: {lr: 1e-3}");
  assert.ok(!("optimizer.lr" in lr) && !("optimizer.lr_scale_by_batch" in lr));
  assert.equal(of("optimizer: {lr_scale_by_batch: true}")["optimizer.lr"], 2e-3 * 256 / 64);
  assert.equal(
    valuesOf({ ...EMOJI, text: "loss: {teacher_temp: 0.05}" })["loss.warmup_teacher_temp"],
    0.05,
  );
  const slow = of("training: {teacher_momentum: 0.9999}");
  assert.equal(slow["training.teacher_momentum_final"], 0.9999);
  const fast = of("training: {teacher_momentum_final: 0.9}");
  assert.equal(fast["training.teacher_momentum"], 0.9);
  assert.equal(of("optimizer: {weight_decay: 0.1}")["optimizer.weight_decay_end"], 0.1);
  const [min, max] = ["min", "max"].map((end) => `augmentation.local_crop_scale_${end}`);
  assert.equal(of("augmentation: {local_crop_scale_max: 0.1}")[min], 0.1);
  assert.equal(of("augmentation: {local_crop_scale_min: 0.8}")[max], 0.8);
});

Deno.test("choosePreset() makes a model around the parts of it that are given", () => {
  const of = (text: string) => {
    const { config } = chosen({ pictures: 5000, text });
    parseConfig(stringifyConfig(config)); // throws where a rule is broken
    return config;
  };
  const odd = of("augmentation: {global_crop_size: 28}");
  assert.deepEqual([odd.model.patch_size, odd.augmentation.local_crop_size], [7, 14]);
  const both = of("augmentation: {global_crop_size: 96, local_crop_size: 36}");
  assert.equal(both.model.patch_size, 6);
  assert.equal(of("augmentation: {local_crop_size: 80}").augmentation.global_crop_size, 80);
  const patch = of("model: {patch_size: 14}");
  assert.equal(patch.augmentation.global_crop_size % 14, 0);
  const wide = of("model: {dim: 100}").model;
  assert.deepEqual([wide.backbone, wide.dim, wide.dim % wide.heads], ["custom", 100, 0]);
  assert.equal(of("model: {heads: 5}").model.dim % 5, 0);
  assert.equal(of("model: {depth: 9}").model.backbone, "custom");
  const named = of("model: {backbone: vit_tiny}").model;
  assert.deepEqual([named.dim, named.depth, named.heads], [192, 12, 3]);
  assert.ok(of("evaluation: {last_blocks: 7}").model.depth >= 7);
  const large = chosen({ pictures: 1e6, speed: LARGE, text: "model: {depth: 6}" }).config.model;
  assert.deepEqual([large.backbone, large.dim, large.depth], ["custom", 384, 6]);
});

Deno.test("choosePreset() freezes no last layer for a tenth of a run or more", () => {
  const frozen = (epochs: number) =>
    valuesOf({ ...EMOJI, text: `training: {num_epochs: ${epochs}}` })["training.freeze_last_layer"];
  assert.deepEqual([1, 9, 10, 100].map(frozen), [0, 0, 1, 1]);
});

Deno.test("choosePreset() warms up for a tenth of a run, and saves as often for few pictures", () => {
  const of = (pictures: number, epochs: number) => {
    const found = valuesOf({ pictures, text: `training: {num_epochs: ${epochs}}` });
    return [found["scheduler.warmup_epochs"], found["checkpoint.save_every_n_epochs"]];
  };
  assert.deepEqual(of(7572, 1), [0.1, 1]);
  assert.deepEqual(of(7572, 30), [3, 2]);
  assert.deepEqual(of(7572, 400), [10, 20]);
  assert.deepEqual(of(300, 400), [40, 20]);
  assert.deepEqual(of(300, 4000), [60, 200]); // 240 steps
});

Deno.test("choosePreset() spends a budget on epochs, and refuses one that is too short", () => {
  const text = "data: {batch_size: 10}\n" + WIDE +
    "augmentation: {global_crop_size: 32, local_crop_size: 16}\nmodel: {patch_size: 8}";
  const one = chosen({ pictures: 1000, text: text.replace(/\nmodel.*$/, "") }).config;
  const speed = pictureFlops(one) * 100; // ten seconds an epoch
  const of = (budget: number, more = "") =>
    valuesOf({ pictures: 1000, text: text.replace(/\nmodel.*$/, more), speed, budget })[
      "training.num_epochs"
    ];
  assert.equal(of(100), 9);
  assert.equal(of(16), 1);
  assert.equal(of(1, "\ntraining: {num_epochs: 5}"), undefined); // given: nothing to say
  assert.throws(() => of(10), {
    name: "HatchlingError",
    message: /at least one epoch, 1\d s, but found 10 s: raise --budget, or make the model/,
  });
  assert.equal(of(112, "\nscheduler: {warmup_epochs: 10}"), 10);
  assert.throws(() => of(100, "\nscheduler: {warmup_epochs: 10}"), {
    name: "HatchlingError",
    message: /at least 10 epochs, which is scheduler\.warmup_epochs, \d+ .*, but 2 min allow 9/,
  });
  assert.throws(() => valuesOf({ ...EMOJI, text: "scheduler: {warmup_epochs: 61}" }), {
    name: "HatchlingError",
    message: /scheduler\.warmup_epochs to be at most 60.*found 61/,
  });
});

Deno.test("choosePreset() without the preset chooses the epochs of a budget, and nothing else", () => {
  const config = parseConfig(
    WIDE + "augmentation: {num_local_views: 0}\nscheduler: {warmup_epochs: 3}",
  );
  const input = { ...EMOJI, config, given: new Map(), flopsPerSecond: LAPTOP, onlyEpochs: true };
  const { choices, config: found } = choosePreset({ ...input, budget: 3600 });
  assert.deepEqual(choices.map(({ key }) => key), ["training.num_epochs"]);
  const epochs = found.training.num_epochs;
  assert.deepEqual(found, { ...config, training: { ...config.training, num_epochs: epochs } });
  assert.throws(() => choosePreset({ ...input, budget: 1800 }), /warmup_epochs/);
});

Deno.test("choosePreset() has settings for a single picture, and none for less than a step", () => {
  assert.equal(valuesOf({ pictures: 1 })["data.batch_size"], 1);
  assert.equal(valuesOf({ pictures: 5 })["data.batch_size"], 5);
  const four = "training: {gradient_accumulation_steps: 4}";
  assert.equal(valuesOf({ pictures: 20, text: four })["data.batch_size"], 5);
  assert.throws(() => valuesOf({ pictures: 0 }), { message: /at least one picture but found 0/ });
  assert.throws(() => valuesOf({ pictures: 20, text: `data: {batch_size: 8}\n${four}` }), {
    name: "HatchlingError",
    message: /at least 32 pictures, a step, but found 20/,
  });
});

Deno.test("choosePreset() sets values that a configuration takes, each with a reason", () => {
  for (const pictures of [1, 33, ...SIZES, 1e9]) {
    for (const side of [16, 100, 512]) {
      for (const speed of [LAPTOP, LARGE]) {
        const input = { pictures, largestPixels: side * side, speed };
        const { choices, config } = chosen(input);
        assert.deepEqual(choices.filter(({ reason }) => reason.length < 5), []);
        assert.ok(choices.every(({ key }) => presetKeys().has(key)));
        // Throws where a value or a pair of them is wrong; and the views' tables follow what they share.
        assert.deepEqual(parseConfig(stringifyConfig(config)), config);
        assert.equal(config.augmentation.local.hue, config.augmentation.hue);
      }
    }
  }
});

Deno.test("expectation() says what to expect, and what is better", () => {
  assert.match(
    expectation(300),
    /^from 300 pictures alone, .*; published weights are better .*models\.md$/,
  );
  assert.match(expectation(2e6), /^from 2,000,000 pictures, /);
});

Deno.test("choosePreset() keeps what given weights know: half the rate, less of it below, the head first", () => {
  const of = (fromWeights: boolean) => {
    const text = `${ALONE}training: {num_epochs: 30}`;
    const { choices } = choosePreset({
      config: parseConfig(`preset: auto\n${text}`),
      given: givenValues(text),
      ...EMOJI,
      flopsPerSecond: LAPTOP,
      fromWeights,
    });
    return new Map(choices.map(({ key, value }) => [key, value]));
  };
  const [anew, on] = [of(false), of(true)];
  near(Number(on.get("optimizer.lr")), Number(anew.get("optimizer.lr")) / 2, 1e-9, "rate");
  assert.deepEqual(
    ["optimizer.layer_decay", "training.head_warmup_epochs", "model.drop_path_rate"]
      .map((key) => on.get(key)),
    [0.75, 3, 0.1],
  );
  for (const key of ["optimizer.layer_decay", "training.head_warmup_epochs"]) {
    assert.ok(!anew.has(key) && presetKeys().has(key), key);
  }
  assert.match(
    expectation(500, true),
    /from given weights and 500 pictures, expect what they know/,
  );
});
