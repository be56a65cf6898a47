import assert from "node:assert/strict";
import { configDefaults, givenValues, parseConfig } from "../../lib/config.ts";
import emoji from "../../configs/emoji.yaml" with { type: "text" };
import small from "../../configs/small.yaml" with { type: "text" };
import {
  choosePreset,
  durationText,
  FEWEST_STEPS,
  parseDuration,
  PRESET_KEYS,
  type PresetInput,
  shortRun,
} from "../../lib/preset.ts";

const SIZES = [100, 1000, 7572, 60_000, 1_281_167];

/** Choices by key, with what is left out as on 32 px pictures and a model 96 wide. */
const valuesOf = (input: Partial<PresetInput> & { pictures: number }) =>
  Object.fromEntries(
    choosePreset({ dim: 96, globalCropSize: 32, ...input }).map(({ key, value }) => [key, value]),
  ) as Record<string, number>;

const near = (found: number, expected: number, share: number, what = "") =>
  assert.ok(Math.abs(found / expected - 1) <= share, `${what} ${found} is not about ${expected}`);

Deno.test("choosePreset() gives DINO's recipe for ImageNet in batches of 1,024", () => {
  const found = valuesOf({ pictures: 1_281_167, dim: 384, globalCropSize: 224, batchSize: 1024 });
  const dino = configDefaults() as unknown as Record<string, Record<string, unknown>>;
  for (const [key, value] of Object.entries(found)) {
    const [section, name] = key.split(".");
    if (/^optimizer\.lr|teacher_momentum/.test(key)) continue;
    assert.equal(value, dino[section][name], key);
  }
  near(found["optimizer.lr"], 0.0005 * 1024 / 256, 1e-9, "lr");
  near(1 - found["training.teacher_momentum"], 1 - 0.996, 0.01, "1 − teacher_momentum");
  assert.ok(found["training.teacher_momentum_final"] > 0.9999);
});

Deno.test("choosePreset() gives what was found by experiment on emoji, for their batch and length", () => {
  const agrees = (text: string) => {
    const config = parseConfig(text) as unknown as Record<string, Record<string, number>>;
    const { data, training, model, augmentation } = config;
    const found = valuesOf({
      pictures: 7572,
      dim: model.dim,
      globalCropSize: augmentation.global_crop_size,
      batchSize: data.batch_size,
      epochs: training.num_epochs,
    });
    for (const [key, value] of Object.entries(found)) {
      const [section, name] = key.split(".");
      if (section === "augmentation") assert.equal(value, augmentation[name], key);
    }
    for (const key of ["loss.teacher_temp", "loss.warmup_teacher_temp", "optimizer.lr"]) {
      const [section, name] = key.split(".");
      assert.equal(found[key], config[section][name], key);
    }
    assert.equal(found["optimizer.weight_decay_end"], config.optimizer.weight_decay);
    near(found["model.init_std"], model.init_std, 0.2, "init_std");
    assert.equal(found["loss.center_momentum"], 0.9);
    near(
      1 - found["training.teacher_momentum"],
      1 - training.teacher_momentum,
      0.02,
      "1 − teacher_momentum",
    );
    return found;
  };
  const ofSmall = agrees(small), ofEmoji = agrees(emoji);
  assert.equal(ofEmoji["model.projection_output_dim"], 2048);
  assert.equal(ofSmall["scheduler.warmup_epochs"], 1);
  // 0.999 over 20 epochs and 0.9995 over 60 are what was tried.
  near(1 - valuesOf({ pictures: 7572, epochs: 20 })["training.teacher_momentum_final"], 1e-3, 0.5);
  near(1 - valuesOf({ pictures: 7572, epochs: 60 })["training.teacher_momentum_final"], 5e-4, 0.1);
});

Deno.test("choosePreset() pins what 100 to 1.3 million pictures get, and moves one way", () => {
  const all = SIZES.map((pictures) => valuesOf({ pictures }));
  const column = (key: string) => all.map((one) => one[key]);
  assert.deepEqual(column("data.batch_size"), [8, 16, 64, 64, 64]);
  assert.deepEqual(column("training.num_epochs"), [197, 49, 60, 74, 100]);
  assert.deepEqual(column("model.projection_output_dim"), [1024, 1024, 2048, 16384, 65536]);
  assert.deepEqual(column("loss.teacher_temp"), [0.03, 0.03, 0.03, 0.0339, 0.04]);
  assert.deepEqual(column("optimizer.lr"), [2.5e-4, 5e-4, 2e-3, 2e-3, 2e-3]);
  assert.deepEqual(column("optimizer.weight_decay_end"), [0.04, 0.04, 0.04, 0.098, 0.4]);
  for (
    const key of [
      "training.teacher_momentum",
      "training.teacher_momentum_final",
      "loss.teacher_temp",
    ]
  ) {
    const found = column(key);
    for (let i = 1; i < found.length; i++) assert.ok(found[i] >= found[i - 1], `${key} ${found}`);
  }
  for (const [i, one] of all.entries()) {
    const steps = one["training.num_epochs"] * Math.floor(SIZES[i] / one["data.batch_size"]);
    assert.ok(steps >= 2 * FEWEST_STEPS, `${steps} steps`);
    assert.ok(one["training.teacher_momentum"] >= 0.979);
    assert.ok(one["training.teacher_momentum_final"] > one["training.teacher_momentum"]);
    assert.ok(one["training.teacher_momentum_final"] < 1);
  }
});

Deno.test("choosePreset() follows the pictures, however much crops enlarge them", () => {
  const crops = { pictures: 7572, globalCropSize: 224 };
  const tiny = valuesOf({ ...crops, largestPixels: 1024 });
  assert.equal(tiny["augmentation.hue"], 0.05);
  assert.equal(tiny["augmentation.local_crop_scale_min"], 0.2);
  assert.equal(valuesOf({ ...crops, largestPixels: 1e6 })["augmentation.hue"], 0.1);
  const between = valuesOf({ pictures: 7572, globalCropSize: 96 });
  assert.ok(between["augmentation.hue"] > 0.05 && between["augmentation.hue"] < 0.1);
});

Deno.test("choosePreset() takes batches of a step as the one batch that they are", () => {
  const whole = valuesOf({ pictures: 7572, batchSize: 64 });
  assert.deepEqual(valuesOf({ pictures: 7572, batchSize: 16, accumulationSteps: 4 }), whole);
});

Deno.test("choosePreset() keeps the centre fast, however few pictures a step has", () => {
  for (const pictures of [1, 20, 300, 7572, 1e6]) {
    for (const batchSize of [undefined, 1]) {
      assert.equal(valuesOf({ pictures, batchSize })["loss.center_momentum"], 0.9);
    }
  }
});

Deno.test("choosePreset() leaves out what is given, and agrees with it", () => {
  const of = (text: string) => valuesOf({ pictures: 7572, given: givenValues(text) });
  const lr = of("optimizer: {lr: 1e-3}");
  assert.ok(!("optimizer.lr" in lr) && !("optimizer.lr_scale_by_batch" in lr));
  assert.equal(of("optimizer: {lr_scale_by_batch: true}")["optimizer.lr"], 2e-3 * 256 / 64);
  assert.equal(of("loss: {teacher_temp: 0.05}")["loss.warmup_teacher_temp"], 0.05);
  const slow = of("training: {teacher_momentum: 0.9999}");
  assert.equal(slow["training.teacher_momentum_final"], 0.9999);
  const fast = of("training: {teacher_momentum_final: 0.9}");
  assert.equal(fast["training.teacher_momentum"], 0.9);
  assert.equal(of("optimizer: {weight_decay: 0.1}")["optimizer.weight_decay_end"], 0.1);
  const [min, max] = ["min", "max"].map((end) => `augmentation.local_crop_scale_${end}`);
  assert.equal(of("augmentation: {local_crop_scale_max: 0.1}")[min], 0.1);
  assert.equal(of("augmentation: {local_crop_scale_min: 0.8}")[max], 0.8);
});

Deno.test("choosePreset() freezes no last layer for a tenth of a run or more", () => {
  const frozen = (epochs: number) =>
    valuesOf({ pictures: 7572, epochs })["training.freeze_last_layer"];
  assert.deepEqual([1, 9, 10, 100].map(frozen), [0, 0, 1, 1]);
});

Deno.test("choosePreset() spends a budget on epochs, and refuses one that is too short", () => {
  const of = (seconds: number, rest: Partial<PresetInput> = {}) =>
    valuesOf({
      pictures: 1000,
      batchSize: 10,
      budget: { seconds, secondsPerImage: 0.01 },
      ...rest,
    })["training.num_epochs"];
  assert.equal(of(100), 9);
  assert.equal(of(12), 1);
  assert.equal(of(1, { epochs: 5 }), undefined); // given: the budget has nothing to say
  assert.throws(() => of(10), {
    name: "HatchlingError",
    message: /at least one epoch, 12 s, but found 10 s/,
  });
  const given = givenValues("scheduler: {warmup_epochs: 10}");
  assert.equal(of(112, { given }), 10);
  assert.throws(() => of(100, { given }), {
    name: "HatchlingError",
    message: /at least 10 epochs, which is scheduler\.warmup_epochs, 2 min, but 100 s allow 9/,
  });
  assert.throws(
    () => valuesOf({ pictures: 7572, given: givenValues("scheduler: {warmup_epochs: 61}") }),
    { name: "HatchlingError", message: /scheduler\.warmup_epochs to be at most 60.*found 61/ },
  );
});

Deno.test("choosePreset() has settings for a single picture, and none for less than a step", () => {
  assert.equal(valuesOf({ pictures: 1 })["data.batch_size"], 1);
  assert.equal(valuesOf({ pictures: 5 })["data.batch_size"], 5);
  assert.equal(valuesOf({ pictures: 20, accumulationSteps: 4 })["data.batch_size"], 5);
  assert.throws(() => valuesOf({ pictures: 0 }), { message: /at least one picture but found 0/ });
  assert.throws(() => valuesOf({ pictures: 20, batchSize: 8, accumulationSteps: 4 }), {
    name: "HatchlingError",
    message: /at least 32 pictures, a step, but found 20/,
  });
});

Deno.test("choosePreset() sets values that a configuration takes, each with a reason", () => {
  for (const pictures of [1, 33, ...SIZES, 1e9]) {
    for (const globalCropSize of [16, 224, 512]) {
      const found = choosePreset({ pictures, dim: 192, globalCropSize });
      assert.deepEqual(found.filter(({ reason }) => reason.length < 5), []);
      assert.ok(found.every(({ key }) => PRESET_KEYS.has(key)));
      const overrides = found.map(({ key, value }) => ({ key, value: String(value) }));
      parseConfig("{}", { overrides }); // throws where a value or a pair of them is wrong
    }
  }
});

Deno.test("shortRun() warns below about 1,000 steps and names the budget that it takes", () => {
  assert.equal(shortRun(FEWEST_STEPS), undefined);
  assert.match(shortRun(944)!, /^944 steps are few: .*Take more epochs, or a smaller model$/);
  // 9 epochs of 118 steps, 1.2 s each, in 90 % of the time
  assert.match(shortRun(944, { steps: 118, secondsPerStep: 1.2 })!, /a --budget of 24 min or more/);
});

Deno.test("parseDuration() reads days to seconds and refuses all else", () => {
  const cases: [string, number][] = [
    ["90s", 90],
    ["45m", 2700],
    ["2h", 7200],
    ["1h30m", 5400],
    ["3d", 259200],
    ["0.5h", 1800],
    ["1d2h3m4s", 93784],
  ];
  for (const [text, seconds] of cases) assert.equal(parseDuration(text), seconds);
  const huge = "9".repeat(400) + "s";
  for (const text of ["", "2", "h", "2 hours", "2H", "-1h", "0s", "1m2h", "1e3s", "NaNs", huge]) {
    assert.throws(() => parseDuration(text), {
      name: "HatchlingError",
      message: /Expected a duration such as/,
    });
  }
});

Deno.test("durationText() rounds up", () => {
  const cases: [number, string][] = [
    [0.2, "1 s"],
    [89.5, "90 s"],
    [91, "2 min"],
    [3600, "1 h"],
    [7500, "2 h 5 min"],
    [259_200, "3 d"],
    [273_600, "3 d 4 h"],
  ];
  for (const [seconds, text] of cases) assert.equal(durationText(seconds), text);
});
