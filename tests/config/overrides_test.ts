import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConfig, parseOverrides } from "../../lib/config.ts";

const parse = (...args: string[]) =>
  parseConfig("{}", { overrides: parseOverrides(args).overrides });

Deno.test("parseOverrides() leaves to the script what has no dot in its name", () => {
  const args = ["a.b.yaml", "--out", "runs/a.b", "--optimizer.lr", "1e-3", "--resume=x.y", "-v"];
  assert.deepEqual(parseOverrides([...args, "--data.path=a=b", "--", "--loss.student_temp", "1"]), {
    overrides: [{ key: "optimizer.lr", value: "1e-3" }, { key: "data.path", value: "a=b" }],
    rest: ["a.b.yaml", "--out", "runs/a.b", "--resume=x.y", "-v", "--", "--loss.student_temp", "1"],
  });
});

Deno.test("parseOverrides() takes a negative number, but not the next option, as a value", () => {
  assert.deepEqual(parseOverrides(["--a.b", "-5", "--a.c", "--out", "x", "--a.d"]), {
    overrides: [{ key: "a.b", value: "-5" }, { key: "a.c" }, { key: "a.d" }],
    rest: ["--out", "x"],
  });
});

Deno.test("parseConfig() reads an override as YAML when the key takes no text", () => {
  const config = parse(
    ...["--optimizer.lr", "1e-3", "--optimizer.betas=[0.8, 0.9]", "--training.max_steps", "7"],
    ...["--model.norm_last_layer", "false", "--evaluation.knn_k", "5"],
  );
  assert.equal(config.optimizer.lr, 1e-3);
  assert.deepEqual(config.optimizer.betas, [0.8, 0.9]);
  assert.equal(config.training.max_steps, 7);
  assert.equal(config.model.norm_last_layer, false);
  assert.deepEqual(config.evaluation.knn_k, [5]);
});

Deno.test("parseConfig() takes an override as typed when the key takes a text", () => {
  for (const path of ["2024", "1e3", "true", "a: b", "[x]", "# x", " x ", "~", "'q'", "-"]) {
    assert.equal(parse("--data.path", path).data.path, path);
    assert.equal(parse(`--data.path=${path}`).data.path, path);
    assert.equal(parse("--data.path", path).data.dataset, "folder");
  }
  assert.equal(parse("--data.path", "null").data.path, null);
});

Deno.test("parseConfig() lets an override win over the file, and the last over the first", () => {
  const { overrides } = parseOverrides(["--loss.student_temp=2", "--loss.student_temp=3"]);
  const config = parseConfig("loss: {student_temp: 1, teacher_temp: 0.5}", { overrides });
  assert.equal(config.loss.student_temp, 3);
  assert.equal(config.loss.teacher_temp, 0.5);
});

Deno.test("parseConfig() reads overrides of tables: a key at a time, or several as a mapping", () => {
  const text = "augmentation: {local: {hue: 0.1, contrast: 0.1}}";
  const { overrides } = parseOverrides([
    ...["--augmentation.local.hue", "0.05", "--augmentation.global_1={hue: 0.2, contrast: 0.3}"],
    ...["--augmentation.global_1.hue", "0.3", "--augmentation.global_2", "{}"],
  ]);
  const { local, global_1, global_2 } = parseConfig(text, { overrides }).augmentation;
  assert.deepEqual([local.hue, local.contrast], [0.05, 0.1]);
  assert.deepEqual([global_1.hue, global_1.contrast], [0.3, 0.3]);
  assert.deepEqual([global_2.hue, global_2.contrast], [0.1, 0.4]);
});

Deno.test("parseConfig() reads numbers of the command line as YAML writes them", () => {
  for (
    const [text, value] of [[".5", 0.5], ["0x10", 16], ["+5", 5], ["1e-3", 0.001], ["010", 10]]
  ) {
    assert.equal(parse("--optimizer.lr", text as string).optimizer.lr, value);
  }
  assert.equal(parse("--training.max_steps=null").training.max_steps, null);
  assert.equal(parse("--training.max_steps", "~").training.max_steps, null);
});

const WRONG: [args: string[], error: string][] = [
  [["--optimizer.lrr=1"], '--optimizer.lrr: unknown key - did you mean "--optimizer.lr"?'],
  [["--optimiser.lr=1"], '--optimiser.lr: unknown key - did you mean "--optimizer.lr"?'],
  [["--optim.lr", "1"], '--optim.lr: unknown key - did you mean "--optimizer.lr"?'],
  [
    ["--optimizer.weight-decay=0"],
    "--optimizer.weight-decay: unknown key - did you mean " +
    '"--optimizer.weight_decay"?',
  ],
  [["--data.seed=1"], '--data.seed: unknown key - did you mean "--training.seed"?'],
  [
    ["--logging.qqq=1"],
    "--logging.qqq: unknown key - the keys of logging are log_every_n_iters, tensorboard",
  ],
  [
    ["--optimizer.betas=[0.9"],
    "--optimizer.betas: expected a list of 2, each a number ≥ 0 and < 1 " +
    'but found "[0.9"',
  ],
  [
    ["--optimizer.betas=[0.9, 2]"],
    "--optimizer.betas: optimizer.betas[1]: expected a number ≥ 0 " +
    "and < 1 but found 2",
  ],
  [["--optimizer.lr="], "--optimizer.lr: expected a number > 0 but found nothing"],
  ...["--training.max_steps=", "--training.max_steps=# none"].map((arg): [string[], string] => [
    [arg],
    "--training.max_steps: expected an integer ≥ 1 or null but found nothing - write null if that is meant, " +
    "or leave the key out",
  ]),
  ...["", "="].map((end): [string[], string] => [
    end ? ["--data.path="] : ["--data.path", ""],
    '--data.path: expected a non-empty text or null but found ""',
  ]),
  [
    ["--augmentation.local={hue: }"],
    "--augmentation.local: augmentation.local.hue: expected a number from 0 to 0.5 or null but found nothing - " +
    "write null if that is meant, or leave the key out",
  ],
  ...[
    ["-1", "-1"],
    ["1e400", ".inf"],
    [".nan", ".nan"],
    ["NaN", '"NaN"'],
    ["1_000", '"1_000"'],
    ["1,5", '"1,5"'],
    ["1e39", "1e+39 (beyond 1e38)"],
    ["[1", '"[1"'],
    ["{a: 1}", "a mapping"],
    ["\x1b[2J", '"\\u001b[2J"'],
  ].map(([value, found]): [string[], string] => [
    ["--optimizer.lr", value],
    `--optimizer.lr: expected a number > 0 but found ${found}`,
  ]),
  [
    ["--no-such.key", "1"],
    "--no-such.key: unknown key - the sections are data, augmentation, model, loss, " +
    "optimizer, scheduler, training, checkpoint, logging, evaluation, device",
  ],
  ...["__proto__.x", "constructor.name", "data.__proto__", "data.constructor"].map(
    (key): [string[], string] => [
      [`--${key}=1`],
      `--${key}: unknown key - ` +
      (key.startsWith("data.")
        ? "the keys of data are path, dataset, split, val_fraction, batch_size, num_workers, max_pixels, cache_bytes"
        : "the sections are data, augmentation, model, loss, optimizer, scheduler, training, checkpoint, logging, " +
          "evaluation, device"),
    ],
  ),
  [
    ["--logging.\x1b[2J=1"],
    "--logging.\\x1b[2J: unknown key - the keys of logging are log_every_n_iters, tensorboard",
  ],
  [["--optimizer.lr"], "--optimizer.lr: expected a value behind it: --optimizer.lr VALUE"],
  [
    ["--device.limits", "none"],
    '--device.limits: expected "adapter" or "portable" but found "none"',
  ],
  [
    ["--augmentation.lokal.hue=0"],
    '--augmentation.lokal.hue: unknown key - did you mean "--augmentation.local.hue"?',
  ],
  [
    ["--augmentation.local.huw=0"],
    '--augmentation.local.huw: unknown key - did you mean "--augmentation.local.hue"?',
  ],
  [
    ["--augmentation.locals={}"],
    '--augmentation.locals: unknown key - did you mean "--augmentation.local"?',
  ],
  [
    ["--augmentation.gaussian_blur_prob_local=0"],
    "--augmentation.gaussian_blur_prob_local: unknown key - did you mean " +
    '"--augmentation.local.gaussian_blur_prob"?',
  ],
  [
    ["--augmentation.local.hue=1"],
    "--augmentation.local.hue: expected a number from 0 to 0.5 or null but found 1",
  ],
  [
    ["--augmentation.local={hue: 1, huw: 1}"],
    '--augmentation.local: augmentation.local.huw: unknown key - did you mean "hue"?\n' +
    "--augmentation.local: augmentation.local.hue: expected a number from 0 to 0.5 or null but found 1",
  ],
  [
    ["--augmentation.local={hue: 0, hue: 0}"],
    "--augmentation.local: augmentation.local.hue: given twice: keep one",
  ],
  [["--augmentation.local=3"], "--augmentation.local: expected a mapping of keys but found 3"],
  [["--augmentation.local="], "--augmentation.local: expected a mapping of keys but found nothing"],
  [
    ["--augmentation.local"],
    "--augmentation.local: expected a value behind it: --augmentation.local '{KEY: VALUE}'",
  ],
  [
    ["--augmentation.local={hue: 0"],
    "--augmentation.local: Flow map must end with a }",
  ],
  [
    ["--augmentation.hue.local=0"],
    '--augmentation.hue.local: unknown key - did you mean "--augmentation.local"?',
  ],
];

for (const [args, message] of WRONG) {
  Deno.test(`parseConfig() refuses ${args.join(" ")}`, () => {
    assert.throws(() => parse(...args), { name: "HatchlingError", message });
  });
}

Deno.test("parseOverrides() neither loses nor makes up arguments (property)", () => {
  const value = fc.string().filter((text) => !text.startsWith("--"));
  const name = fc.constantFrom("optimizer.lr", "data.path", "x.y-z", "a.b.c");
  const part = fc.oneof(
    fc.record({ key: name, value }).map((one) => ({ one, args: [`--${one.key}`, one.value] })),
    fc.record({ key: name, value }).map((one) => ({ one, args: [`--${one.key}=${one.value}`] })),
    fc.constantFrom(["--out", "x"], ["a.yaml"], ["-v"]).map((args) => ({ one: undefined, args })),
  );
  fc.assert(fc.property(fc.array(part), (parts) => {
    const { overrides, rest } = parseOverrides(parts.flatMap(({ args }) => args));
    assert.deepEqual(overrides, parts.flatMap(({ one }) => one ? [{ ...one }] : []));
    assert.deepEqual(rest, parts.flatMap(({ one, args }) => one ? [] : args));
  }));
});

Deno.test("parseConfig() gives back any path and any rate that an override holds (property)", () => {
  const path = fc.string({ minLength: 1 }).filter((text) => text !== "null");
  const rate = fc.double({ min: 0, minExcluded: true, max: 1e38, noNaN: true });
  fc.assert(fc.property(path, rate, (text, lr) => {
    const config = parse(`--data.path=${text}`, `--optimizer.lr=${lr}`);
    assert.equal(config.data.path, text);
    assert.equal(config.optimizer.lr, lr);
  }));
});
