import assert from "node:assert/strict";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";

/** The lines of the error that a text gives; [] when it is right. */
function errors(text: string, args: string[] = []): string[] {
  try {
    parseConfig(text, { file: "a.yaml", overrides: parseOverrides(args).overrides });
  } catch (error) {
    assert(error instanceof HatchlingError, String(error));
    return error.message.split("\n");
  }
  return [];
}

/** One text per kind of mistake, and the exact lines that it gives. */
const CASES: Record<string, [text: string, ...lines: string[]]> = {
  "an unknown key": [
    "loss:\n  teacher_tmp: 1\n",
    'a.yaml:2:3: loss.teacher_tmp: unknown key - did you mean "teacher_temp"?',
  ],
  "a key of another section": [
    "loss: {lr: 1}\n",
    'a.yaml:1:8: loss.lr: unknown key - did you mean "optimizer.lr"?',
  ],
  "a key near one of another section": [
    "data: {num_epoch: 1}\n",
    'a.yaml:1:8: data.num_epoch: unknown key - did you mean "training.num_epochs"?',
  ],
  "a key's name in other projects": [
    "model: {out_dim: 1}\n",
    'a.yaml:1:9: model.out_dim: unknown key - did you mean "projection_output_dim"?',
  ],
  "a key like no other": [
    "logging:\n  qqq: 1\n",
    "a.yaml:2:3: logging.qqq: unknown key - the keys of logging are log_every_n_iters, tensorboard",
  ],
  "an unknown section": [
    "los: {teacher_temp: 1}\n",
    'a.yaml:1:1: los: unknown section - did you mean "loss"?',
  ],
  "a wrong value in a misspelt section": [
    "los: {teacher_temp: 0}\n",
    'a.yaml:1:1: los: unknown section - did you mean "loss"?',
    "a.yaml:1:21: loss.teacher_temp: expected a number > 0 but found 0",
  ],
  "a key without its section": [
    "teacher_temp: 1\n",
    'a.yaml:1:1: teacher_temp: unknown section - did you mean "teacher_temp" under "loss:"?',
  ],
  "a key of two sections without its section": [
    "batch_size: 1\n",
    'a.yaml:1:1: batch_size: unknown section - did you mean "batch_size" under "data:" or ' +
    '"batch_size" under "evaluation:"?',
  ],
  "a dotted key": [
    "loss.teacher_temp: 1\n",
    'a.yaml:1:1: loss.teacher_temp: unknown section - did you mean "teacher_temp" under "loss:"?',
  ],
  "a section like no other": [
    "__proto__: {a: 1}\n",
    "a.yaml:1:1: __proto__: unknown section - the sections are data, augmentation, model, loss, " +
    "optimizer, scheduler, training, checkpoint, logging, evaluation, device",
  ],
  "a word for a number": [
    "optimizer:\n  lr: fast\n",
    'a.yaml:2:7: optimizer.lr: expected a number > 0 but found "fast"',
  ],
  "a quoted number": [
    "optimizer: {lr: '1e-3'}\n",
    'a.yaml:1:17: optimizer.lr: expected a number > 0 but found "1e-3"',
  ],
  "a fraction for an integer": [
    "training:\n  num_epochs: 1.5\n",
    "a.yaml:2:15: training.num_epochs: expected an integer from 1 to 1000000 but found 1.5",
  ],
  "an integer that a double cannot hold": [
    "training: {seed: 9007199254740992}\n",
    "a.yaml:1:18: training.seed: expected an integer ≥ 0 but found 9007199254740992 " +
    "(beyond 2^53 − 1)",
  ],
  "not a number": [
    "loss: {student_temp: .nan, teacher_temp: -.inf}\n",
    "a.yaml:1:22: loss.student_temp: expected a number > 0 but found .nan",
    "a.yaml:1:42: loss.teacher_temp: expected a number > 0 but found -.inf",
  ],
  "yes for true": [
    "model: {norm_last_layer: yes}\n",
    'a.yaml:1:26: model.norm_last_layer: expected true or false but found "yes"',
  ],
  "a number for a text": [
    "data: {path: 2024}\n",
    "a.yaml:1:14: data.path: expected a non-empty text or null but found 2024",
  ],
  "an empty text": [
    'data: {path: ""}\n',
    'a.yaml:1:14: data.path: expected a non-empty text or null but found ""',
  ],
  "no value": [
    "training:\n  seed:\n  num_epochs: 30\n",
    "a.yaml:2:3: training.seed: expected an integer ≥ 0 but found nothing",
  ],
  "nothing where null means something else than the default": [
    "data:\n  path:\n  batch_size: 4\ncheckpoint: {keep_last_n: , save_every_n_epochs}\n" +
    "augmentation: {local: {hue: }}\nmodel: {dim: !!null , depth: &d }\n",
    "a.yaml:2:3: data.path: expected a non-empty text or null but found nothing - write null if that is meant, " +
    "or leave the key out",
    ...[
      ["4:14", "checkpoint.keep_last_n", "an integer ≥ 1"],
      ["4:29", "checkpoint.save_every_n_epochs", "an integer ≥ 1"],
      ["5:24", "augmentation.local.hue", "a number from 0 to 0.5"],
      ["6:9", "model.dim", "an integer from 1 to 65536"],
      ["6:23", "model.depth", "an integer from 1 to 256"],
    ].map(([place, key, what]) =>
      `a.yaml:${place}: ${key}: expected ${what} or null but found nothing - write null if that is meant, ` +
      "or leave the key out"
    ),
  ],
  "an unknown choice": [
    "optimizer: {optimizer: lion}\n",
    'a.yaml:1:24: optimizer.optimizer: expected "adamw", "adam" or "sgd" but found "lion"',
  ],
  "a value out of range": [
    "augmentation: {hue: 0.6}\nloss: {center_momentum: 1}\n",
    "a.yaml:1:21: augmentation.hue: expected a number from 0 to 0.5 but found 0.6",
    "a.yaml:2:25: loss.center_momentum: expected a number ≥ 0 and < 1 but found 1",
  ],
  "a list of another length": [
    "optimizer: {betas: [0]}\n",
    "a.yaml:1:20: optimizer.betas: expected a list of 2, each a number ≥ 0 and < 1 but found [0]",
  ],
  "an item beyond its limits": [
    "augmentation: {normalize_std: [0.2, 0, 0.2]}\n",
    "a.yaml:1:37: augmentation.normalize_std[1]: expected a number from 0.000001 to 1000000 but " +
    "found 0",
  ],
  "a number for a list": [
    "augmentation: {normalize_mean: 0.5}\n",
    "a.yaml:1:32: augmentation.normalize_mean: expected null or a list of 1 to 1024, each a number " +
    "from -1000 to 1000 but found 0.5",
  ],
  "a wrong value in a table": [
    "augmentation:\n  local:\n    hue: 0.6\n    contrast: high\n",
    "a.yaml:3:10: augmentation.local.hue: expected a number from 0 to 0.5 or null but found 0.6",
    "a.yaml:4:15: augmentation.local.contrast: expected a number from 0 to 1000 or null but found " +
    '"high"',
  ],
  "an unknown key in a table": [
    "augmentation:\n  local:\n    huw: 0.1\n",
    'a.yaml:3:5: augmentation.local.huw: unknown key - did you mean "hue"?',
  ],
  "a key in a table that stands beside it": [
    "augmentation: {local: {n_global_crops: 2}}\n",
    "a.yaml:1:24: augmentation.local.n_global_crops: unknown key - did you mean " +
    '"augmentation.n_global_crops"?',
  ],
  "a key beside tables that stands in them": [
    "augmentation: {gaussian_blur_prob: 1}\n",
    "a.yaml:1:16: augmentation.gaussian_blur_prob: unknown key - did you mean " +
    '"augmentation.global_1.gaussian_blur_prob" or "augmentation.global_2.gaussian_blur_prob" or ' +
    '"augmentation.local.gaussian_blur_prob"?',
  ],
  "a shared key in another section": [
    "loss: {hue: 0.1}\n",
    'a.yaml:1:8: loss.hue: unknown key - did you mean "augmentation.hue"?',
  ],
  "the former keys of single views": [
    "augmentation:\n  gaussian_blur_prob_local: 1\n  gaussian_blur_prob_global_1: 1\n" +
    "  gaussian_blur_prob_global_2: 1\n  solarization_prob_global_1: 1\n" +
    "  solarization_prob_global_2: 1\n  solarization_prob_local: 1\n",
    ...[
      ["gaussian_blur_prob", "local"],
      ["gaussian_blur_prob", "global_1"],
      ["gaussian_blur_prob", "global_2"],
      ["solarization_prob", "global_1"],
      ["solarization_prob", "global_2"],
      ["solarization_prob", "local"],
    ].map(([name, view], i) =>
      `a.yaml:${i + 2}:3: augmentation.${name}_${view}: unknown key - did you mean ` +
      `"augmentation.${view}.${name}"?`
    ),
  ],
  "other names of the split": [
    "data: {train_split: train, val_split: 0.2}\n",
    'a.yaml:1:8: data.train_split: unknown key - did you mean "split"?',
    'a.yaml:1:28: data.val_split: unknown key - did you mean "split" or "val_fraction"?',
  ],
  "an unknown table": [
    "augmentation:\n  locals:\n    hue: 1\n",
    'a.yaml:2:3: augmentation.locals: unknown key - did you mean "local"?',
    "a.yaml:3:10: augmentation.local.hue: expected a number from 0 to 0.5 or null but found 1",
  ],
  "a table without its section": [
    "local: {hue: 0.1}\n",
    'a.yaml:1:1: local: unknown section - did you mean "local" under "augmentation:"?',
  ],
  "a dotted key of a table": [
    "augmentation.local.hue: 0.1\naugmentation:\n  local.hue: 0.1\n",
    'a.yaml:1:1: augmentation.local.hue: unknown section - did you mean "hue" under ' +
    '"augmentation.local:"?',
    'a.yaml:3:3: augmentation.local.hue: unknown key - did you mean "hue" under ' +
    '"augmentation.local:"?',
  ],
  "a dotted table": [
    "augmentation.local: {hue: 0.1}\n",
    'a.yaml:1:1: augmentation.local: unknown section - did you mean "local" under "augmentation:"?',
  ],
  "a table that is no mapping": [
    "augmentation:\n  local: 3\n  global_1:\n  global_2: [1]\n",
    "a.yaml:2:10: augmentation.local: expected a mapping of keys but found 3",
    "a.yaml:3:3: augmentation.global_1: expected a mapping of keys but found nothing",
    "a.yaml:4:13: augmentation.global_2: expected a mapping of keys but found a list",
  ],
  "a table given twice": [
    "augmentation:\n  local: {hue: 0}\n  local: {hue: 0.1}\n",
    "a.yaml:3:3: augmentation.local: given twice, first at 2:3: keep one",
  ],
  "a key of a table given twice": [
    "augmentation:\n  local: {hue: 0, hue: 0.1}\n",
    "a.yaml:2:19: augmentation.local.hue: given twice, first at 2:11: keep one",
  ],
  "a table inside a key": [
    "augmentation: {hue: {local: 0.1}}\n",
    "a.yaml:1:21: augmentation.hue: expected a number from 0 to 0.5 but found a mapping",
  ],
  "a section inside itself": [
    "augmentation: &a\n  local: *a\n",
    'a.yaml:2:3: augmentation.local.local: unknown key - did you mean "augmentation.local"?',
  ],
  "a wrong item": [
    "optimizer:\n  betas:\n  - 0.9\n  - 1\n",
    "a.yaml:4:5: optimizer.betas[1]: expected a number ≥ 0 and < 1 but found 1",
  ],
  "a list for a number": [
    "optimizer: {lr: [1, [2], {a: 1}]}\n",
    "a.yaml:1:17: optimizer.lr: expected a number > 0 but found [1, [2], a mapping]",
  ],
  "an empty list": [
    "evaluation: {knn_k: []}\n",
    "a.yaml:1:21: evaluation.knn_k: expected an integer ≥ 1 or a list of 1 to 64, each an " +
    "integer ≥ 1 but found []",
  ],
  "no channels": [
    "model: {in_chans: 0}\n",
    "a.yaml:1:19: model.in_chans: expected an integer from 1 to 1024 but found 0",
  ],
  "a duplicate key": [
    "loss:\n  student_temp: 0.1\n  student_temp: 0.2\n",
    "a.yaml:3:3: loss.student_temp: given twice, first at 2:3: keep one",
  ],
  "a duplicate section": [
    "loss: {student_temp: 1}\nloss: {teacher_temp: 1}\n",
    "a.yaml:2:1: loss: given twice, first at 1:1: keep one",
  ],
  "a list as a key": [
    "loss:\n  [a]: 1\n",
    "a.yaml:2:3: loss: expected the name of a key but found a list, mapping or alias",
  ],
  "a section that is no mapping": [
    "loss: 3\nmodel:\ndata: [1]\n",
    "a.yaml:1:7: loss: expected a mapping of keys but found 3",
    "a.yaml:2:1: model: expected a mapping of keys but found nothing",
    "a.yaml:3:7: data: expected a mapping of keys but found a list",
  ],
  "an alias without an anchor": [
    "optimizer: {lr: *rate}\n",
    "a.yaml:1:17: optimizer.lr: expected an anchor &rate before its alias *rate",
  ],
  "an alias of itself": [
    "optimizer: {lr: &a [*a]}\n",
    "a.yaml:1:20: optimizer.lr: expected a number > 0 but found [[[]]]",
  ],
  "a merge key": [
    "loss: &a {student_temp: 1}\nmodel:\n  <<: *a\n",
    "a.yaml:3:3: model.<<: merge keys are not read: write the keys out, or let the whole section be an " +
    "alias",
  ],
  "a merge key at the top": [
    "<<: {model: {}}\n",
    "a.yaml:1:1: <<: merge keys are not read: write the keys out, or let the whole section be an alias",
  ],
  "a merge key of YAML 1.1": [
    "%YAML 1.1\n---\nloss: {<<: {student_temp: 1}}\n",
    "a.yaml:3:8: loss.<<: merge keys are not read: write the keys out, or let the whole section be an alias",
  ],
  "values that only YAML 1.1 has": [
    "%YAML 1.1\n---\ndata: {path: 2001-01-01, split: !!binary aGk=}\n",
    "a.yaml:3:14: data.path: expected a non-empty text or null but found a date",
    'a.yaml:3:42: data.split: expected "all", "train" or "val" but found a mapping',
  ],
  "keys that are no texts": [
    "data: {1: 2, null: 3, true: 4}\n",
    ...[["8", "1"], ["14", "null"], ["23", "true"]].map(([column, name]) =>
      `a.yaml:1:${column}: data.${name}: unknown key - the keys of data are path, dataset, split, val_fraction, ` +
      "batch_size, num_workers, max_pixels, cache_bytes"
    ),
  ],
  "names that every object has": [
    "loss: {constructor: 1, toString: 2, __proto__: {student_temp: 3}}\n",
    ...[["8", "constructor"], ["24", "toString"], ["37", "__proto__"]].map(([column, name]) =>
      `a.yaml:1:${column}: loss.${name}: unknown key - the keys of loss are objective, student_temp, teacher_temp, ` +
      "warmup_teacher_temp, warmup_teacher_temp_epochs, center_momentum, centering, koleo_weight, " +
      "contrastive_weight, contrastive_feature, contrastive_temp, contrastive_temp_learned and 9 more, in " +
      "docs/configuration.md"
    ),
  ],
  "names and values that command a terminal": [
    'logging: {"a\\e[31m\\u202e": 1}\ndata: {split: "\\x9b\\u2028\\n"}\n',
    "a.yaml:1:11: logging.a\\x1b[31m\\u202e: unknown key - the keys of logging are log_every_n_iters, tensorboard",
    'a.yaml:2:15: data.split: expected "all", "train" or "val" but found "\\x9b\\u2028\\n"',
  ],
  "a tag that commands a terminal": [
    "loss: !<a\u202eb> {}\n",
    "a.yaml:1:7: Unresolved tag: a\\u202eb",
  ],
  "a name as long as a page": [
    `logging: {${"x".repeat(900)}: 1}\n`,
    `a.yaml:1:11: logging.${
      "x".repeat(69)
    }…: unknown key - the keys of logging are log_every_n_iters, tensorboard`,
  ],
  "brackets without end": [
    `a: ${"[".repeat(100_000)}`,
    "a.yaml:1:35: expected a section, its keys and their values but found more levels than that",
  ],
  "a broken line above one that is nested too deep": [
    `a: b: c\nd: ${"{a: ".repeat(10_000)}`,
    "a.yaml:1:4: Nested mappings are not allowed in compact mappings",
    "a.yaml:2:121: expected a section, its keys and their values but found more levels than that",
  ],
  "a tab": ["loss:\n\tlr: 1\n", "a.yaml:2:1: Tabs are not allowed as indentation"],
  "broken YAML": [
    "loss:\n  student_temp: 'x",
    "a.yaml:2:19: Missing closing 'quote",
  ],
  "an unknown tag": ["loss: !big {}\n", "a.yaml:1:7: Unresolved tag: !big"],
  "two documents": [
    "loss: {}\n---\nmodel: {}\n",
    "a.yaml:2:1: expected one document but found another after '---'",
  ],
};

for (const [what, [text, ...lines]] of Object.entries(CASES)) {
  Deno.test(`parseConfig() shows the place and the remedy when given ${what}`, () => {
    assert.deepEqual(errors(text), lines);
  });
}

Deno.test("parseConfig() asks for sections when the file is empty or no mapping", () => {
  const expected = /^a\.yaml:1:1: expected a mapping of sections \(data, .*device\) but found /;
  for (
    const [text, found] of [["", "nothing: the file is empty"], ["3", "3"], ["[1]", "a list"], [
      "# only a comment\n",
      "nothing: the file is empty",
    ]]
  ) {
    const [line, ...more] = errors(text);
    assert.match(line, expected);
    assert(line.endsWith(`but found ${found}`), line);
    assert.equal(more.length, 0);
  }
});

Deno.test("parseConfig() counts lines and columns when they end in CR LF or follow a BOM", () => {
  assert.deepEqual(errors("loss:\r\n  student_temp: 0\r\n"), [
    "a.yaml:2:17: loss.student_temp: expected a number > 0 but found 0",
  ]);
  assert.equal(errors("\ufeffloss: {student_temp: 0}")[0].split(": ")[1], "loss.student_temp");
});

Deno.test("parseConfig() lists all errors in file order, then the command line's", () => {
  const text = "optimizer:\n  lrr: 1\n  lr: x\nloss: {student_temp: -1}\ntraining: {seed: -1}\n";
  const args = [
    "--data.pth",
    "a",
    "--optimizer.eps=0",
    "--training.seed",
    "1",
    "--loss.teacher_temp",
  ];
  assert.deepEqual(errors(text, args), [
    'a.yaml:2:3: optimizer.lrr: unknown key - did you mean "lr"?',
    'a.yaml:3:7: optimizer.lr: expected a number > 0 but found "x"',
    "a.yaml:4:22: loss.student_temp: expected a number > 0 but found -1",
    "a.yaml:5:18: training.seed: expected an integer ≥ 0 but found -1",
    '--data.pth: unknown key - did you mean "--data.path"?',
    "--loss.teacher_temp: expected a value behind it: --loss.teacher_temp VALUE",
    "--optimizer.eps: expected a number > 0 but found 0",
  ]);
});

Deno.test("parseConfig() is not fooled by aliases that multiply", () => {
  const rows = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i++) {
    const [name, last] = [i, i - 1].map((n) => String.fromCharCode(97 + n));
    rows.push(`${name}: &${name} [${Array(9).fill(`*${last}`).join(", ")}]`);
  }
  const text = `optimizer:\n  lr: *l\n`;
  const found = errors(`${rows.join("\n")}\n${text}`);
  assert.match(
    found.at(-1)!,
    /^a\.yaml:14:7: optimizer\.lr: expected a number > 0 but found \[/,
  );
  assert(found.at(-1)!.length < 140);
});
