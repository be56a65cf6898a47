/** How long runs are, what is too short, and how durations are written. */
import assert from "node:assert/strict";
import dinoSmall from "../../configs/dino-small.yaml" with { type: "text" };
import emoji from "../../configs/emoji.yaml" with { type: "text" };
import photos from "../../configs/photos.yaml" with { type: "text" };
import small from "../../configs/small.yaml" with { type: "text" };
import { givenValues, parseConfig } from "../../lib/config.ts";
import readme from "../../README.md" with { type: "text" };
import { choosePreset, durationText, parseDuration } from "../../lib/preset.ts";
import { needsOf, shortRun, stepsOf } from "../../lib/preset/length.ts";
import { fittingBatch } from "../../lib/preset/batch.ts";

const config = (text: string) => parseConfig(text);
const { fewest } = needsOf(config("{}"));

Deno.test("fittingBatch() is a quarter of the pictures, 8 to 64, or all of them", () => {
  const cases = [[1, 1], [7, 7], [9, 8], [64, 16], [100, 16], [255, 32], [256, 64], [1e6, 64]];
  for (const [pictures, batch] of cases) assert.equal(fittingBatch(pictures), batch, `${pictures}`);
  assert.equal(fittingBatch(300, 4), 16); // of 75 for each batch of a step
  assert.equal(fittingBatch(3, 4), 1);
});

Deno.test("stepsOf() counts whole steps, and heeds training.max_steps", () => {
  const text = "data: {batch_size: 32}\ntraining: {num_epochs: 11";
  assert.deepEqual(stepsOf(config(`${text}}`), 300), { perEpoch: 9, all: 99 });
  assert.deepEqual(stepsOf(config(`${text}, max_steps: 50}`), 300), { perEpoch: 9, all: 50 });
  assert.equal(stepsOf(config(`${text}, gradient_accumulation_steps: 3}`), 300).perEpoch, 3);
});

Deno.test("shortRun() says what would do: epochs, steps, or a longer budget", () => {
  const text = "data: {batch_size: 32}\ntraining: {num_epochs: 11";
  assert.match(
    shortRun(config(`${text}}`), 300)!,
    /^99 steps are few: below about 1,000, .* an untrained model\. Take training\.num_epochs 112 or more/,
  );
  const cut = (steps: number, epochs = 11) =>
    shortRun(
      config(`data: {batch_size: 32}\ntraining: {num_epochs: ${epochs}, max_steps: ${steps}}`),
      300,
    );
  assert.match(
    cut(50)!,
    /^50 .*Take training\.max_steps 1000 and training\.num_epochs 112 or more/,
  );
  assert.match(cut(1)!, /^a single step is too few: below about 1,000, /);
  assert.match(cut(50, 500)!, /^50 .*Take training\.max_steps 1000 or more/);
  assert.match(cut(5000)!, /^99 .*Take training\.num_epochs 112 or more/);
  // 112 epochs and a half of 9 steps, 1.2 s each, in 95 % of the time
  const time = { secondsPerStep: 1.2, evaluation: 0.5 };
  assert.match(shortRun(config(`${text}}`), 300, time)!, /Take a --budget of 22 min or more/);
  const enough = `${text.replace("11", String(Math.ceil(fewest / 9)))}}`;
  assert.equal(shortRun(config(enough), 300), undefined);
  assert.equal(shortRun(config(enough), 30), undefined); // no step at all: the loader says so
});

Deno.test("no recipe of this project is too short for its pictures", () => {
  for (const [name, text] of Object.entries({ small, dinoSmall, emoji })) {
    assert.equal(shortRun(config(text), 7572), undefined, name);
  }
  assert.match(readme, /deno task train configs\/photos\.yaml --data\.path DIR/);
  for (const pictures of [300, 1000, 5000]) {
    const { config: chosen } = choosePreset({
      config: config(photos),
      given: givenValues(photos),
      pictures,
      largestPixels: 2 ** 16,
      flopsPerSecond: 3e10,
    });
    assert.equal(shortRun(chosen, pictures), undefined, `${pictures} photographs`);
    assert.equal(chosen.evaluation.knn_k[0], 10);
  }
});

Deno.test("a contrastive term needs fewer steps", () => {
  for (const text of ["loss: {contrastive_weight: 1}", "loss: {objective: infonce}"]) {
    const needs = needsOf(config(text));
    assert.ok(needs.fewest < fewest && needs.enough > needs.fewest, text);
  }
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
