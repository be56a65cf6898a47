import assert from "node:assert/strict";
import { configDefaults, parseConfig } from "../lib/config.ts";
import small from "../configs/small.yaml" with { type: "text" };
import { choosePreset, parseDuration, PRESET_KEYS } from "../lib/preset.ts";

const SIZES = [100, 1000, 7572, 60_000, 1_281_167];
const valuesAt = (pictures: number, dim = 96, globalCropSize = 32) =>
  Object.fromEntries(
    choosePreset({ pictures, dim, globalCropSize }).map((
      { key, value },
    ) => [key.split(".")[1], value as number]),
  );

Deno.test("choosePreset() gives DINO's recipe for ImageNet", () => {
  const found = valuesAt(1_281_167, 384, 224);
  assert.equal(found.projection_output_dim, 65536);
  assert.equal(found.teacher_temp, 0.04);
  assert.equal(found.init_std, 0.02);
  assert.ok(Math.abs(found.teacher_momentum - 0.996) < 1e-4);
  assert.ok(found.teacher_momentum_final > 0.9999);
  assert.ok(Math.abs(found.lr - 0.0005 * 64 / 256) < 1e-9);
  assert.deepEqual([found.weight_decay_end, found.warmup_epochs, found.num_epochs], [0.4, 10, 100]);
  assert.deepEqual(
    [found.local_crop_scale_min, found.local_crop_scale_max, found.num_local_views],
    [0.05, 0.4, 8],
  );
  assert.deepEqual([found.brightness, found.contrast, found.saturation, found.hue], [
    0.4,
    0.4,
    0.2,
    0.1,
  ]);
});

Deno.test("choosePreset() gives about what was found by experiment on 7,572 emoji", () => {
  const found = valuesAt(7572);
  assert.deepEqual([found.projection_output_dim, found.teacher_temp, found.num_epochs], [
    2048,
    0.03,
    60,
  ]);
  assert.deepEqual([found.lr, found.weight_decay_end, found.batch_size], [2e-3, 0.04, 64]);
  assert.ok(Math.abs(found.teacher_momentum - 0.98) < 1e-3);
  assert.ok(Math.abs(found.teacher_momentum_final - 0.9995) < 1e-4);
  const { augmentation, loss, model } = parseConfig(small);
  const same = choosePreset({
    pictures: 7572,
    dim: model.dim,
    globalCropSize: 32,
    batchSize: 32,
    epochs: 11,
  });
  const of = (key: string) => same.find((choice) => choice.key === key)!.value as number;
  for (
    const key of [
      "local_crop_scale_min",
      "local_crop_scale_max",
      "brightness",
      "hue",
      "num_local_views",
    ] as const
  ) {
    assert.equal(of(`augmentation.${key}`), augmentation[key], key);
  }
  assert.ok(Math.abs(of("loss.center_momentum") - loss.center_momentum) < 2e-3);
  assert.equal(of("scheduler.warmup_epochs"), 1);
});

Deno.test("choosePreset() moves one way as pictures become more", () => {
  const all = SIZES.map((n) => valuesAt(n));
  for (
    const key of [
      "batch_size",
      "num_epochs",
      "projection_output_dim",
      "teacher_temp",
      "teacher_momentum",
      "weight_decay_end",
    ]
  ) {
    for (let i = 1; i < all.length; i++) {
      assert.ok(all[i][key] >= all[i - 1][key], `${key} at ${SIZES[i]}`);
    }
  }
  assert.equal(all[0].projection_output_dim, 1024);
  assert.equal(all[0].batch_size, 8);
});

Deno.test("choosePreset() spends a budget on epochs, and refuses one that is too short", () => {
  const input = { pictures: 1000, dim: 64, globalCropSize: 32, batchSize: 10 };
  const of = (seconds: number) =>
    choosePreset({ ...input, budget: { seconds, secondsPerImage: 0.01 } })
      .find(({ key }) => key === "training.num_epochs")!.value;
  assert.equal(of(100), 9);
  assert.equal(of(12), 1);
  assert.throws(() => of(10), {
    name: "HatchlingError",
    message: /at least one epoch, 12 s, but found 10 s/,
  });
});

Deno.test("choosePreset() sets keys that exist, each with a reason", () => {
  const config = configDefaults() as unknown as Record<string, Record<string, unknown>>;
  for (const key of PRESET_KEYS) {
    const [section, name] = key.split(".");
    assert.ok(name in config[section], key);
  }
  const found = choosePreset({ pictures: 5000, dim: 64, globalCropSize: 96 });
  assert.ok(found.every(({ reason }) => reason.length > 5));
});

Deno.test("parseDuration() reads days to seconds and refuses all else", () => {
  const cases: [string, number][] = [["90s", 90], ["45m", 2700], ["2h", 7200], ["1h30m", 5400], [
    "3d",
    259200,
  ], ["0.5h", 1800]];
  for (const [text, seconds] of cases) assert.equal(parseDuration(text), seconds);
  for (const text of ["", "2", "h", "2 hours", "-1h", "0s", "1m2h"]) {
    assert.throws(() => parseDuration(text), { message: /Expected a duration such as/ });
  }
});
