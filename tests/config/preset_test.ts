/** `preset: auto`: what it will choose is not held against what is set. */
import assert from "node:assert/strict";
import { givenValues, parseConfig, parseOverrides } from "../../lib/config.ts";

/** Each breaks a rule only with a default that the preset replaces. */
const AGREED = [
  "training: {num_epochs: 8}", // the default warm-up lasts for 10
  "scheduler: {warmup_epochs: 120}", // the default run for 100
  "loss: {warmup_teacher_temp_epochs: 120}",
  "augmentation: {local_crop_scale_max: 0.04}", // the default least is 0.05
  "augmentation: {local_crop_scale_min: 0.5}", // the default most is 0.4
  "augmentation: {local_crop_size: 15}", // the default patch is 16
  "augmentation: {global_crop_size: 64}", // the default local views have 96
  "model: {patch_size: 7}",
  "model: {dim: 64}", // the default backbone is vit_small
  "model: {backbone: custom}",
  "model: {heads: 5}",
  "evaluation: {last_blocks: 13}", // vit_small has 12
];

for (const text of AGREED) {
  Deno.test(`parseConfig() leaves the rest to preset: auto with ${text}`, () => {
    assert.throws(() => parseConfig(text), { name: "HatchlingError" });
    parseConfig(`preset: auto\n${text}`);
  });
}

Deno.test("parseConfig() holds preset: auto to rules between keys that are set", () => {
  const cases: [string, RegExp][] = [
    [
      "training: {num_epochs: 8}\nscheduler: {warmup_epochs: 9}",
      /at most training.num_epochs \(8\)/,
    ],
    ["augmentation: {local_crop_scale_min: 0.5, local_crop_scale_max: 0.4}", /but found 0.5/],
    [
      "augmentation: {local_crop_size: 15}\nmodel: {patch_size: 8}",
      /local_crop_size: expected a multiple/,
    ],
    ["model: {backbone: vit_tiny, dim: 64}", /model\.dim: expected 192, which is vit_tiny's/],
    ["model: {backbone: custom, dim: 64, heads: 5}", /multiple of model\.heads \(5\) but found 64/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseConfig(`preset: auto\n${text}`), { message });
  }
});

Deno.test("givenValues() tells what file and command line set, in the section as well as above", () => {
  const { overrides } = parseOverrides(["--optimizer.lr", "1e-3", "--loss.teacher_temp", "0.05"]);
  const given = givenValues("preset: auto\nloss: {teacher_temp: 0.03}", { overrides });
  assert.deepEqual([...given], [
    ["training.preset", "auto"],
    ["loss.teacher_temp", 0.05],
    ["optimizer.lr", 1e-3],
  ]);
  assert.equal(parseConfig("training: {preset: auto}").training.preset, "auto");
  assert.throws(() => parseConfig("preset: always"), { message: /training\.preset: expected/ });
});
