/** What `preset: auto`, `data.batch_size: auto` and `--budget` come to, and what is said of it. */
import assert from "node:assert/strict";
import {
  type Config,
  configDefaults,
  givenValues,
  parseConfig,
  parseOverrides,
} from "../../lib/config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { planStep } from "../../lib/plan/step.ts";
import { withBatch } from "../../lib/plan/remedies.ts";
import type { stepTime } from "../../lib/plan/timing.ts";
import { pictureFlops } from "../../lib/preset/cost.ts";
import { stepsOf } from "../../lib/preset/length.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { resolveConfig } from "../../scripts/common/resolve.ts";
import { gpuTest } from "../support/gpu.ts";

const SMALL = { length: 2000, largestPixels: 1024 };
const PHOTOS = { length: 300, largestPixels: 2 ** 16 };
const TINY = "augmentation: {global_crop_size: 32, local_crop_size: 16}\n" +
  "model: {backbone: custom, dim: 32, depth: 1, heads: 2, projection_hidden_dim: 32}\n";
/** Memory that is enough, whatever this machine has. */
const ROOM = "device: {memory_bytes: 8000000000}\n";

/** A machine of so many operations in a second. */
const machine = (speed: number): typeof stepTime => (_, config) => {
  const perStep = config.data.batch_size * config.training.gradient_accumulation_steps;
  const seconds = perStep * pictureFlops(config) / speed;
  const pieces = { views: 0, blocks: seconds, rest: 0, update: 0, measuredWith: perStep };
  const longestSubmitMs = null;
  return Promise.resolve({ seconds, longestSubmitMs, ...pieces });
};

/** What a file comes to, and what is said. */
async function resolved(gpu: Gpu, text: string, options: {
  dataset?: { length: number; largestPixels: number };
  budget?: string;
  speed?: number;
  before?: { config: unknown; paced: boolean };
  args?: string;
  ranks?: number;
} = {}) {
  const { dataset = SMALL, budget, before, speed = 3e10, args = "", ranks } = options;
  let said = "";
  const writeSync = (bytes: Uint8Array) => {
    said += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  const progress = new Progress({ isTerminal: () => false, writeSync });
  const overrides = parseOverrides(args.split(" ").filter(Boolean));
  const asked = {
    config: parseConfig(ROOM + text, overrides),
    given: givenValues(ROOM + text, overrides),
    budget,
  };
  const found = await resolveConfig(asked, {
    gpu,
    dataset,
    before,
    progress,
    ranks,
    measure: machine(speed),
  });
  return { ...found, said };
}

const auto = "preset: auto\n";

gpuTest("resolveConfig() leaves a configuration without questions alone", async (gpu) => {
  const found = await resolved(gpu, "", { dataset: { length: 1e6, largestPixels: 1024 } });
  assert.deepEqual(found.config, parseConfig(ROOM));
  assert.deepEqual([found.choices, found.said], [[], ""]);
  assert.equal(found.config.model.backbone, configDefaults().model.backbone);
});

gpuTest("resolveConfig() chooses what is free, says why, and keeps what is set", async (gpu) => {
  const text = auto + TINY + "loss: {teacher_temp: 0.05}\n";
  const { config, choices, said } = await resolved(gpu, text);
  assert.deepEqual([config.data.batch_size, config.loss.teacher_temp], [64, 0.05]);
  assert.deepEqual([config.model.projection_output_dim, config.augmentation.hue], [1024, 0.05]);
  assert.deepEqual([config.augmentation.local.hue, config.augmentation.local.crop_scale_max], [
    0.05,
    0.6,
  ]);
  assert.equal(config.augmentation.global_1.crop_scale_max, 1);
  for (const { key, value, reason } of choices) {
    assert.ok(said.includes(`${key} ${value}: ${reason}`));
  }
  assert.match(said, /^loss\.teacher_temp 0\.05: kept, as it is set$/m);
  assert.match(said, /^model\.dim 32: kept, as it is set$/m);
  assert.match(said, /^note: from 2,000 pictures alone, expect .* published weights are better/m);
  assert.doesNotMatch(said, /warning/);
});

gpuTest("resolveConfig() changes no key of a view's table that the file sets", async (gpu) => {
  // 0.1 is also the default that all views share: what is written counts, not its value.
  const text = auto + TINY.replace("{global", "{local: {hue: 0.1, crop_scale_max: 0.4}, global");
  const { augmentation } = (await resolved(gpu, text)).config;
  assert.deepEqual([augmentation.local.hue, augmentation.local.crop_scale_max], [0.1, 0.4]);
  assert.deepEqual([augmentation.hue, augmentation.global_1.hue], [0.05, 0.05]);
  assert.equal(augmentation.local.crop_scale_min, 0.2);
});

gpuTest("resolveConfig() leaves the rate's unit alone when the file sets the rate", async (gpu) => {
  const { optimizer } = (await resolved(gpu, `${auto}optimizer: {lr: 1e-3}\n${TINY}`)).config;
  assert.deepEqual([optimizer.lr, optimizer.lr_scale_by_batch], [1e-3, true]);
});

gpuTest(
  "resolveConfig() goes on with what was chosen, whatever would be chosen now",
  async (gpu) => {
    const first = await resolved(gpu, auto + TINY);
    const before = { config: first.config, paced: false };
    const other = { dataset: { length: 50_000, largestPixels: 1e6 }, before };
    const again = await resolved(gpu, auto + TINY, other);
    assert.deepEqual(again.config, first.config);
    assert.deepEqual([again.choices, again.said], [[], ""]);
    const named = await resolved(gpu, auto + TINY, { ...other, args: "--training.num_epochs 19" });
    assert.equal(named.config.training.num_epochs, 19);

    // A budget's epochs, which are not named again; steps only where it had moved the end.
    const ended = parseConfig(TINY + "training: {num_epochs: 17, max_steps: 40}");
    const kept = async (paced: boolean, args = "") => {
      const { training } =
        (await resolved(gpu, TINY, { before: { config: ended, paced }, args })).config;
      return [training.num_epochs, training.max_steps];
    };
    assert.deepEqual(await kept(false), [17, null]);
    assert.deepEqual(await kept(true), [17, 40]);
    assert.deepEqual(await kept(true, "--training.max_steps 5"), [17, 5]);
    const { said } = await resolved(gpu, TINY, {
      before: { config: ended, paced: true },
      budget: "2h",
    });
    assert.match(said, /note: --budget changes nothing/);
    // Keys that are newer than the run have their defaults.
    const old = structuredClone(ended) as unknown as Record<string, Record<string, unknown>>;
    delete old.checkpoint.save_every_n_epochs;
    const found = await resolved(gpu, auto + TINY, { before: { config: old, paced: false } });
    assert.equal(found.config.checkpoint.save_every_n_epochs, 1);
  },
);

gpuTest("data.batch_size: auto agrees with the preset, and with what fits", async (gpu) => {
  const batch = async (text: string, dataset: typeof SMALL) =>
    (await resolved(gpu, text + TINY, { dataset })).config.data.batch_size;
  for (const length of [3, 20, 100, 300, 5000]) {
    const dataset = { length, largestPixels: 1024 };
    const automatic = await batch("data: {batch_size: auto}\n", dataset);
    assert.equal(await batch(auto, dataset), automatic, `${length}`);
    assert.equal(await batch(`${auto}data: {batch_size: auto}\n`, dataset), automatic);
  }
  // Where memory is short, all that depends on the batch follows it.
  const text = `${auto}evaluation: {batch_size: 1}\n${TINY}`;
  const whole = (await resolved(gpu, text)).config;
  const { peak } = await planStep(gpu, withBatch(whole, 16), SMALL);
  const args = `--device.memory_bytes ${peak}`;
  const { config, choices, said } = await resolved(gpu, text, { args });
  assert.equal(config.data.batch_size, 16);
  assert.equal(config.optimizer.lr, whole.optimizer.lr / 4);
  assert.equal(choices.filter(({ key }) => key === "data.batch_size").length, 1);
  assert.match(said, /^data\.batch_size 16: the largest that fits: .* on the GPU$/m);
  const given = await resolved(gpu, `${auto}data: {batch_size: 48}\n${TINY}`);
  assert.equal(given.config.data.batch_size, 48);
});

gpuTest(
  "data.batch_size: auto is a batch that ranks can share, by what each has room for",
  async (gpu) => {
    const text = `${auto}evaluation: {batch_size: 1}\n${TINY}`;
    const one = (await resolved(gpu, text)).config;
    assert.equal(one.data.batch_size, 64);
    const three = await resolved(gpu, text, { ranks: 3 });
    assert.equal(three.config.data.batch_size, 63);
    assert.match(
      three.said,
      /^data\.batch_size 63: 21 on each of 3 ranks, what suits .* on the GPU$/m,
    );
    // What 16 pictures take is room for 16 on each of two.
    const { peak } = await planStep(gpu, withBatch(one, 16), SMALL);
    const args = `--device.memory_bytes ${peak}`;
    const two = await resolved(gpu, text, { args, ranks: 2 });
    assert.equal(two.config.data.batch_size, 32);
    assert.equal(two.config.optimizer.lr, one.optimizer.lr / 2);
  },
);

gpuTest(
  "a budget chooses the model by the speed of the machine, and keeps within it",
  async (gpu) => {
    const sides = [];
    for (const speed of [1e9, 1e10, 1e11, 1e12]) {
      const { config, time } = await resolved(gpu, auto, { dataset: PHOTOS, budget: "20m", speed });
      const seconds = stepsOf(config, PHOTOS.length).all * time!.seconds;
      assert.ok(seconds > 0.75 * 1200 && seconds < 1200, `${seconds} s at ${speed}`);
      sides.push(config.augmentation.global_crop_size);
    }
    assert.deepEqual(sides, sides.toSorted((a, b) => a - b));
    assert.ok(sides[0] === 32 && sides[3] === 64, `${sides}`);
  },
);

gpuTest("a budget alone chooses the epochs; what is set stays", async (gpu) => {
  const { config, choices } = await resolved(gpu, TINY, { budget: "1h" });
  assert.deepEqual(choices.map(({ key }) => key), ["training.num_epochs"]);
  const { training } = config;
  const rest: Config = { ...config, training: { ...training, num_epochs: 100 } };
  assert.deepEqual(rest, parseConfig(ROOM + TINY));
  const set = await resolved(gpu, TINY, { budget: "1h", args: "--training.num_epochs 70" });
  assert.equal(set.config.training.num_epochs, 70);
  assert.match(set.said, /^training\.num_epochs 70: kept, as it is set$/m);
  await assert.rejects(resolved(gpu, TINY, { budget: "1s", speed: 1e8 }), {
    name: "HatchlingError",
    message: /^Expected a budget of at least one epoch, .* but found 1 s: .*deno task plan/,
  });
});

gpuTest(
  "what is too short for its pictures is said, with the number that would do",
  async (gpu) => {
    const small = `data: {batch_size: 32}\n${TINY}scheduler: {warmup_epochs: 1}\n`;
    const short = await resolved(gpu, `${small}training: {num_epochs: 11}`, { dataset: PHOTOS });
    assert.match(
      short.said,
      /^warning: 99 steps are few: below about 1,000, .* Take training\.num_epochs 112 or more/m,
    );
    const enough = await resolved(gpu, `${small}training: {num_epochs: 112}`, { dataset: PHOTOS });
    assert.doesNotMatch(enough.said, /warning/);
    const hurried = await resolved(gpu, small, { dataset: PHOTOS, budget: "30m", speed: 2e9 });
    assert.match(
      hurried.said,
      /^warning: \d+ steps are few: .* Take a --budget of \d+ .* or more/m,
    );
  },
);
