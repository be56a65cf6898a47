import assert from "node:assert/strict";
import { configDefaults, parseConfig, parseOverrides, stringifyConfig } from "../../lib/config.ts";
import { findKey } from "../../lib/config/describe.ts";
import { runWarnings, WARNINGS } from "../../lib/config/warnings.ts";
import emoji from "../../configs/emoji.yaml" with { type: "text" };
import mnist from "../../configs/mnist.yaml" with { type: "text" };
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import vitSmall from "../../configs/vit-small.yaml" with { type: "text" };

/** The warnings of a configuration, which has to be right. */
function warnings(text: string, args: string[] = []): string[] {
  const lines: string[] = [];
  const { overrides } = parseOverrides(args);
  parseConfig(text, { file: "a.yaml", overrides, onWarning: (line) => lines.push(line) });
  return lines;
}

const CASES: [text: string, line: string][] = [
  [
    "augmentation:\n  local_crop_scale_min: 0.6\n  local_crop_scale_max: 1\n  global_crop_scale_min: 0.2\n",
    "a.yaml:3:25: augmentation.local.crop_scale_max: local crops hold 80 % of a picture on average and global ones " +
    "60 %: they are meant to be the smaller ones",
  ],
  [
    "augmentation: {normalize_mean: [123.7, 116.3, 103.5]}",
    "a.yaml:1:32: augmentation.normalize_mean: 123.7 is beyond 1, but channels are numbers from 0 to 1: numbers " +
    "made for 0 to 255 have to be divided by 255",
  ],
  [
    "augmentation: {normalize_std: [58.4, 57.1, 57.4]}",
    "a.yaml:1:31: augmentation.normalize_std: 58.4 is beyond 1, but channels are numbers from 0 to 1: numbers made " +
    "for 0 to 255 have to be divided by 255",
  ],
  [
    "loss: {teacher_temp: 0.2}",
    "a.yaml:1:22: loss.teacher_temp: 0.2 is above loss.student_temp (0.1): DINO's teacher has to be the sharper " +
    "one, usually 0.02 to 0.07",
  ],
  [
    "loss: {warmup_teacher_temp: 0.2}",
    "a.yaml:1:29: loss.warmup_teacher_temp: 0.2 is above loss.student_temp (0.1): DINO's teacher has to be the " +
    "sharper one, usually 0.02 to 0.07",
  ],
  [
    "{optimizer: {lr: 0.3}, data: {batch_size: 1024}}",
    "a.yaml:1:18: optimizer.lr: a peak of 1.2 after scaling by the batch is above 0.1: vision transformers learn " +
    "with 0.0001 to 0.01",
  ],
  [
    "optimizer: {lr: 1, lr_scale_by_batch: false}",
    "a.yaml:1:17: optimizer.lr: a peak of 1 is above 0.1: vision transformers learn with 0.0001 to 0.01",
  ],
  [
    "optimizer: {weight_decay: 4}",
    "a.yaml:1:27: optimizer.weight_decay: 4 is above 1, which shrinks the weights faster than they learn: DINO's " +
    "is 0.04 to 0.4",
  ],
  [
    "optimizer: {weight_decay_end: 4}",
    "a.yaml:1:31: optimizer.weight_decay_end: 4 is above 1, which shrinks the weights faster than they learn: " +
    "DINO's is 0.04 to 0.4",
  ],
  [
    "optimizer: {betas: [0.999, 0.9]}",
    "a.yaml:1:20: optimizer.betas: the first, 0.999, is above the second, 0.9: are they swapped?",
  ],
  [
    "scheduler: {min_lr: 0.01}",
    "a.yaml:1:21: scheduler.min_lr: 0.01 is above the peak of the learning rate (0.000125): the rate runs the wrong " +
    "way",
  ],
  [
    "scheduler: {warmup_start_lr: 0.01}",
    "a.yaml:1:30: scheduler.warmup_start_lr: 0.01 is above the peak of the learning rate (0.000125): the rate runs " +
    "the wrong way",
  ],
  [
    "training: {num_epochs: 10}",
    "a.yaml:1:24: scheduler.warmup_epochs: the warm-up takes the whole run of 10 epochs: the rate never falls",
  ],
  [
    "training: {teacher_momentum: 0.004}",
    "a.yaml:1:30: training.teacher_momentum: 0.004 is below 0.5: the teacher is hardly an average of its students, " +
    "DINO's is 0.99 or more",
  ],
  [
    "training: {teacher_momentum: 0.99, teacher_momentum_final: 0.9}",
    "a.yaml:1:60: training.teacher_momentum_final: 0.9 is below training.teacher_momentum (0.99): the teacher would " +
    "follow ever faster",
  ],
  [
    "training: {freeze_last_layer: 100}",
    "a.yaml:1:31: training.freeze_last_layer: the head's last layer is never trained in the run of 100 epochs",
  ],
];

for (const [text, line] of CASES) {
  Deno.test(`parseConfig() accepts ${text.replaceAll("\n", " ")} with a warning`, () => {
    assert.deepEqual(warnings(text), [line]);
  });
}

Deno.test("every warning names existing keys and is given by some case above", () => {
  for (const { keys, text } of WARNINGS) {
    for (const key of keys) assert(findKey(key), key);
    assert(CASES.some(([, line]) => line.includes(`: ${keys[0]}: `)), text);
  }
});

Deno.test("parseConfig() has nothing to warn of in the defaults and the published recipes", () => {
  for (
    const text of ["{}", emoji, mnist, small, tiny, vitSmall, stringifyConfig(configDefaults())]
  ) {
    assert.deepEqual(warnings(text), []);
  }
});

Deno.test("parseConfig() shows a warning at the option that gives rise to it", () => {
  assert.deepEqual(
    warnings("optimizer: {lr: 0.01}", [
      "--data.batch_size",
      "4096",
      "--augmentation.num_local_views",
      "2",
    ]),
    [
      "--data.batch_size: optimizer.lr: a peak of 0.16 after scaling by the batch is above 0.1: vision transformers " +
      "learn with 0.0001 to 0.01",
    ],
  );
});

Deno.test("parseConfig() does not warn of what the preset chooses", () => {
  assert.deepEqual(warnings("{preset: auto, loss: {student_temp: 0.03}}"), []);
  assert.equal(
    warnings("{preset: auto, loss: {student_temp: 0.03, teacher_temp: 0.04}}").length,
    1,
  );
});

Deno.test("parseConfig() gives no warning beside an error", () => {
  const lines: string[] = [];
  const onWarning = (line: string) => lines.push(line);
  assert.throws(() => parseConfig("{loss: {teacher_temp: 0.2, student_tmp: 1}}", { onWarning }));
  assert.deepEqual(lines, []);
});

Deno.test("runWarnings() tells a run that ends within its warm-up", () => {
  const config = parseConfig("training: {max_steps: 50}");
  assert.deepEqual(runWarnings(config, 100), [
    "scheduler.warmup_epochs: the warm-up takes 1,000 steps and training.max_steps ends the run after 50: the " +
    "learning rate does not reach its peak",
  ]);
  assert.deepEqual(runWarnings(config, 5), []);
  assert.deepEqual(runWarnings(parseConfig("{}"), 100), []);
  const [short] = runWarnings(parseConfig("training: {num_epochs: 20, max_steps: 50}"), 1);
  assert.match(
    short,
    /max_steps: the run ends after 20 steps and not 50, .*an epoch .* has 1: raise/,
  );
});
