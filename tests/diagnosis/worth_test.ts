/** What features are worth: figures beside raw pixels and untrained ones, in words; and the verdicts they make. */
import assert from "node:assert/strict";
import {
  diagnose,
  diagnosisLine,
  type DiagnosisSettings,
  type Evaluation,
  type EvaluationFigure,
  remedyTitle,
  weigh,
  worthLine,
  worthVerdict,
} from "../../lib/diagnosis.ts";
import { recordingOf } from "./recordings.ts";
import healthy from "./healthy.json" with { type: "json" };
import onePeak from "./one_peak.json" with { type: "json" };
import young from "./young.json" with { type: "json" };

const VENDOR = "google → twitter R@1", VIEWS = "view retrieval R@1", KNN = "category k-NN (k 10)";

/** Figures of encoders by their names: of the other vendor, of views, of categories. */
function figuresOf(table: Record<string, readonly number[]>): EvaluationFigure[] {
  return Object.entries(table).flatMap(([encoder, shares]) =>
    [VENDOR, VIEWS, KNN].flatMap((metric, i) =>
      shares[i] === undefined ? [] : [{ encoder, metric, percent: shares[i] }]
    )
  );
}

/** Once "healthy": what configs/small.yaml learned in five epochs. */
const SMALL = figuresOf({
  "teacher": [4.0, 2.0, 74.5],
  "random init": [2.9, 0.7, 73.6],
  "raw pixels": [20.0, 3.7, 79.8],
});

const final = (figures: EvaluationFigure[]): Evaluation[] => [{ step: 1180, figures, final: true }];
const settings = healthy.settings as DiagnosisSettings;
const lines = recordingOf(healthy);

Deno.test("a run below raw pixels is not useful yet, with what helps", () => {
  const known = { ...settings, feature: "class", whiten: false, contrastiveWeight: 0 };
  const found = diagnose(lines, known, final(SMALL));
  assert.equal(found.verdict, "not useful yet");
  assert.deepEqual([found.tone, found.trouble], ["trouble", true]);
  assert.equal(
    found.evidence[0],
    "worse than raw pixels at finding the same picture in another drawing (4.0 % against 20.0 %), " +
      "finding a picture again by a crop of it (2.0 % against 3.7 %) and telling category by the " +
      "nearest neighbours (74.5 % against 79.8 %)",
  );
  assert.match(
    found.evidence[1],
    /^better than the same model untrained at finding the same .* 0\.7 %\); about as good at telling/,
  );
  assert.equal(remedyTitle(found), "what helps");
  const helps = ["evaluation\\.feature grid", "evaluation\\.whiten", "loss\\.contrastive_weight 1"];
  helps.push("data\\.batch_size 64 \\(a step has 32", "more steps than 300", "--weights FILE");
  assert.match(found.remedy, new RegExp(helps.join(".*")));
  assert.match(
    diagnosisLine(found),
    /^not useful yet: worse than raw pixels at .*; what helps: evaluation\.feature grid/,
  );
  assert.equal(worthVerdict(found.worth!, known), diagnosisLine(found));
  // What does not apply is left out.
  const other = { feature: "grid", whiten: true, objective: "infonce", contrastiveWeight: 0 };
  const rest = diagnose(lines, { batchSize: 64, totalSteps: 1e6, ...other }, final(SMALL)).remedy;
  assert.equal(rest, "published weights to begin with, deno task train CONFIG --weights FILE");
});

Deno.test("nothing is healthy before an evaluation says so, nor from young curves", () => {
  const useful = figuresOf({ "teacher": [30, 30, 80], "raw pixels": [20, 4, 70] });
  assert.deepEqual(
    [diagnose(lines, settings).verdict, diagnose(lines, settings).tone],
    ["learning", "neutral"],
  );
  assert.match(diagnose(lines, settings).evidence.at(-1)!, /has not been measured yet$/);
  const good = diagnose(lines, settings, final(useful));
  assert.deepEqual([good.verdict, good.tone, good.remedy], ["healthy", "good", ""]);
  assert.match(good.evidence[0], /^better than raw pixels at finding the same picture/);
  for (const count of [0, 1, 4, 9]) {
    const early = diagnose(lines.slice(0, count), settings, final(useful));
    assert.deepEqual([early.verdict, early.tone], ["too early to tell", "neutral"], `${count}`);
  }
  const ended = diagnose(recordingOf(young), young.settings, final(useful));
  assert.equal(ended.verdict, "healthy", "500 steps, and the evaluation knows better");
  // 0.0 % view retrieval after 100 steps was healthy once; nothing was measured beside it.
  const none = [{ step: 100, figures: [{ metric: VIEWS, percent: 0 }] }];
  assert.equal(diagnose(lines, settings, none).verdict, "not useful yet");
  assert.equal(diagnose(lines, settings, none).tone, "caution", "it still trains");
  assert.equal(diagnose(lines.slice(0, 10), settings, none).verdict, "too early to tell");
});

Deno.test("a collapse stays one whatever was measured, and what was is told", () => {
  const useful = figuresOf({ "teacher": [30, 30, 80], "raw pixels": [20, 4, 70] });
  const found = diagnose(
    recordingOf(onePeak),
    onePeak.settings as DiagnosisSettings,
    final(useful),
  );
  assert.equal(found.verdict, "collapse to one peak");
  assert.match(found.evidence.at(-1)!, /^better than raw pixels/);
  assert.equal(remedyTitle(found), "what to change first");
});

Deno.test("better here and worse there is useful in part; what differs by chance is neither", () => {
  const emoji = figuresOf({ "teacher": [25.3, 29.9, 69.1], "raw pixels": [30.0, 5.6, 66.1] });
  const part = weigh(emoji, { pictures: 3822 })!;
  assert.equal(part.verdict, "useful in part");
  assert.match(part.text, /^worse than raw pixels at finding the same .*; better at finding a pic/);
  assert.match(part.text, /crop of it \(29\.9 % against 5\.6 %\) and telling category/);
  assert.equal(diagnose(lines, settings, final(emoji)).tone, "caution");
  const close = figuresOf({ "teacher": [30.5, 3, 70], "raw pixels": [30, 3, 70] });
  assert.equal(weigh(close, { pictures: 300 })!.verdict, "not useful yet");
  assert.match(weigh(close)!.text, /^about as good as raw pixels at finding the same picture/);
  assert.equal(weigh(close, { pictures: 1e6 })!.verdict, "useful");
});

Deno.test("features that are no better than untrained ones are not useful, whatever pixels are", () => {
  const same = { "teacher": [50, 20, 80], "random init": [50, 20, 80], "raw pixels": [40, 10, 70] };
  const worth = weigh(figuresOf(same))!;
  assert.equal(worth.verdict, "not useful yet");
  assert.match(worth.text, /^about as good as the same model untrained at/);
  assert.match(worth.more, /^better than raw pixels at/);
  assert.match(worthLine(worth), /: not useful yet$/);
});

Deno.test("like with like: whitened beside whitened, a readout beside its own untrained one", () => {
  const all = figuresOf({
    "teacher": [8.8, 1, 52.7],
    "teacher (grid)": [31.4, 2.9, 62.1],
    "teacher (grid, whitened)": [40.0, 2.4, 68.9],
    "random init": [5.5, 0.3, 50.7],
    "random init (grid, whitened)": [36.9, 1.8, 67.2],
    "raw pixels": [34.6, 3.0, 65.2],
    "raw pixels (whitened)": [39.6, 1.7, 66.6],
  });
  const worth = weigh(all, { pictures: 1911 })!;
  assert.deepEqual([worth.verdict, worth.readout], ["useful", "grid, whitened"]);
  assert.match(
    worth.text,
    /^read out as grid, whitened: better than raw pixels whitened alike at finding a picture/,
  );
  assert.match(worth.more, /untrained at finding the same picture .* \(40\.0 % against 36\.9 %\)/);
  // What else was measured needs no advice; what the configuration reads out is told beside it.
  assert.deepEqual(worth.measured.length, 3);
  const found = diagnose(lines, { ...settings, feature: "class", whiten: false }, final(all));
  assert.deepEqual([found.verdict, found.tone], ["useful in part", "caution"]);
  assert.match(
    found.remedy,
    /^reading out what is best .*feature grid with evaluation\.whiten true/,
  );
  const known = { ...settings, feature: "class", whiten: false, contrastiveWeight: 0 };
  assert.equal(
    worthVerdict(found.worth!, known).split("; what")[0],
    diagnosisLine(found).split("; what")[0],
  );
  const set = { ...settings, feature: "grid", whiten: true };
  assert.equal(diagnose(lines, set, final(all)).verdict, "healthy");
  assert.match(
    found.evidence[2],
    /^as it is configured, worse than raw pixels at finding .* \(52\.7 % against 65\.2 %\): not useful yet$/,
  );
  const worse = all.map((f) => f.encoder?.startsWith("teacher") ? { ...f, percent: 1 } : f);
  assert.match(diagnose(lines, known, final(worse)).remedy, /^a contrastive term beside the loss/);
  // Whitened features beside plain pixels alone are not compared with them.
  const unlike = figuresOf({ "teacher (whitened)": [44, 5, 70], "raw pixels": [34, 3, 65] });
  assert.equal(weigh(unlike)!.verdict, "not compared");
  assert.match(weigh(unlike)!.text, /5\.0 %, .*; not compared with raw pixels$/);
  // The student beside the teacher does not count, nor does the teacher of an older step.
  const others = figuresOf({
    "student": [50, 50, 90],
    "teacher at step 500": [50, 50, 90],
    "teacher": [4, 2, 70],
    "raw pixels": [20, 4, 80],
  });
  assert.equal(weigh(others)!.verdict, "not useful yet");
  const alone = figuresOf({ "student": [50, 50, 90], "raw pixels": [20, 4, 80] });
  assert.equal(weigh(alone)!.verdict, "useful", "where no teacher is");
});

Deno.test("evaluations change the verdict when the next one agrees, the last one at once", () => {
  const beside = { "raw pixels": [20, 4, 70] };
  const bad = figuresOf({ teacher: [5, 2, 60], ...beside });
  const good = figuresOf({ teacher: [30, 30, 80], ...beside });
  const said = (every: number, ...all: EvaluationFigure[][]) =>
    diagnose(lines, settings, all.map((figures, i) => ({ step: every * (i + 1), figures })));
  assert.equal(said(100, bad).verdict, "not useful yet");
  assert.equal(said(100, bad, good).verdict, "not useful yet");
  assert.match(
    said(100, bad, good).evidence.join("\n"),
    /^measured at step 100\nthe evaluation at step 200 says useful: better than raw pixels/m,
  );
  assert.equal(said(100, bad, good, good).verdict, "healthy");
  assert.equal(said(100, good, bad, good, bad).verdict, "healthy");
  assert.equal(said(9, bad, good, good).verdict, "not useful yet", "only 9 steps apart");
  assert.equal(said(9, bad, good, good, good, good, good, good, good).verdict, "healthy");
  const end = [{ step: 100, figures: good }, { step: 200, figures: good }];
  const found = diagnose(lines, settings, [...end, { step: 300, figures: bad, final: true }]);
  assert.equal(found.verdict, "not useful yet");
});

Deno.test("figures that tell nothing, or whose names are hostile, do no harm", () => {
  assert.equal(weigh([]), undefined);
  assert.equal(weigh([{ metric: "alignment", value: 1 }]), undefined);
  assert.equal(weigh(figuresOf({ "raw pixels": [1, 2, 3] })), undefined);
  assert.equal(diagnose(lines, settings, final([])).verdict, "learning");
  const hostile = "a\n(b\n, \u2028)x";
  assert.ok(weigh([{ metric: VIEWS, encoder: hostile, percent: 3 }]));
  const odd = "a\nb\x1b[2J k-NN (k 5)";
  const worth = weigh([{ metric: odd, percent: 5 }, {
    metric: odd,
    encoder: "raw pixels",
    percent: 9,
  }]);
  assert.match(worth!.text, /telling a\\x0ab\\x1b\[2J by the nearest/);
});
