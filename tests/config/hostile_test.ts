/** Texts that were made to hurt, by accident or not: each is answered soon, with an error that fits a screen. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { allKeys } from "../../lib/config/describe.ts";
import { MAX_CONFIG_BYTES } from "../../lib/config/yaml.ts";
import { HatchlingError } from "../../lib/errors.ts";

/** Milliseconds that a text of the largest size may take: twenty times what it took, for slow and busy machines. */
const PATIENCE = 20_000;
/** Characters of an error that a screen holds. */
const SCREEN = 8000;

/** The message of the error that a text gives, after it was looked at. */
function refusal(text: string, args: string[] = []): string {
  const start = performance.now();
  try {
    parseConfig(text, { file: "a.yaml", overrides: parseOverrides(args).overrides });
  } catch (error) {
    assert(error instanceof HatchlingError, String(error));
    assert(performance.now() - start < PATIENCE, `${performance.now() - start} ms`);
    assert(error.message.length < SCREEN && error.message.split("\n").length <= 21, error.message);
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(error.message), JSON.stringify(error.message));
    return error.message;
  }
  return "";
}

const M = MAX_CONFIG_BYTES - 100;
const lines = (n: number, line: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => line(i)).join("\n");

const HOSTILE: Record<string, string> = {
  "thousands of unknown sections": lines(M / 14, (i) => `key${i}: 1`),
  "thousands of unknown keys": "data:\n" + lines(M / 16, (i) => `  key${i}: 1`),
  "one key again and again": "a:\n".repeat(M / 3),
  "brackets without end": "[".repeat(M),
  "braces without end": "{a: ".repeat(M / 4),
  "keys ever deeper": lines(480, (i) => `${" ".repeat(i)}a:`),
  "sequences in sequences": "- ".repeat(M / 2),
  "question marks": "? ".repeat(M / 2),
  "colons": ": ".repeat(M / 2),
  "a list of everything": `data: {batch_size: [${"1,".repeat(M / 2)}]}`,
  "a list of mistakes": `optimizer: {betas: [${"x,".repeat(M / 2)}]}`,
  "documents": "---\n".repeat(M / 4),
  "a word": "x".repeat(M),
  "a quotation without end": `"${"x".repeat(M)}`,
  "syntax errors": "a: b: c\n".repeat(M / 8),
  "closing brackets": "]".repeat(M),
  "anchors": "&a ".repeat(M / 3),
  "tags": "!a ".repeat(M / 3),
  "unknown tags": lines(M / 16, (i) => `k${i}: !b 1`),
  "directives": "%a\n".repeat(M / 3),
  "aliases": "*a ".repeat(M / 3),
  "a list of aliases of a long list": `x: &a [${"1,".repeat(M / 4)}]\noptimizer: {lr: [${
    "*a,".repeat(M / 7)
  }]}`,
  "comments": "#\n".repeat(M / 2),
  "a longer text": "loss: {}\n" + "#".repeat(MAX_CONFIG_BYTES),
};

for (const [what, text] of Object.entries(HOSTILE)) {
  Deno.test(`parseConfig() soon refuses ${what}`, () => {
    assert.match(refusal(text), /^a\.yaml:\d+:\d+: /);
  });
}

Deno.test("parseConfig() lists twenty mistakes and counts the others", () => {
  const found = refusal("loss:\n" + lines(5000, (i) => `  k${i}: 1`) + "\noptimizer: {lr: fast}")
    .split("\n");
  assert.equal(found.length, 21);
  assert.match(found[0], /^a\.yaml:2:3: loss\.k0: unknown key - /);
  assert.match(found[19], /^a\.yaml:21:3: loss\.k19: unknown key - /);
  assert.equal(found[20], "and 4,981 more");
});

Deno.test("parseConfig() lists the mistakes of a file in its order, wherever they were found", () => {
  const found = refusal("optimizer: {lr: fast}\nloss:\n" + lines(30, (i) => `  k${i}: 1`)).split(
    "\n",
  );
  assert.match(found[0], /^a\.yaml:1:17: optimizer\.lr: /);
  assert.equal(found.at(-1), "and 11 more");
});

Deno.test("parseConfig() says how large a configuration may be", () => {
  assert.equal(
    refusal("#".repeat(MAX_CONFIG_BYTES + 1)),
    `a.yaml:1:1: expected at most 131072 characters but found 131073: is it the right file?`,
  );
});

Deno.test("parseConfig() makes the name of a file visible", () => {
  assert.throws(() => parseConfig("x: 1", { file: "a\x1b[2J\n.yaml" }), {
    message: /^a\\x1b\[2J\\x0a\.yaml:1:1: x: unknown section/,
  });
});

/** Pieces of YAML, in any order. */
const yamlLike = fc.array(
  fc.oneof(
    fc.constantFrom(...allKeys().map(({ section }) => `${section.split(".")[0]}:\n`)),
    fc.constantFrom(...allKeys().map(({ name }) => `  ${name}: `)),
    fc.constantFrom(...allKeys().map(({ path }) => path.split(".").join(": {") + ": ")),
    fc.constantFrom(..."{}[]:,-?&*!|>%@'\"#\n\t ~<="),
    fc.constantFrom(
      "- ",
      ": ",
      "? ",
      "&a ",
      "*a",
      "<<: ",
      "!!str ",
      "---\n",
      "...\n",
      "%YAML 1.1\n",
      "null",
      "1e400",
    ),
    fc.constantFrom(
      "__proto__: ",
      "constructor: ",
      ".nan",
      "0x10",
      "-1",
      "true",
      "1.5",
      "\ufeff",
      "\r\n",
      "\0",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
  ),
  { maxLength: 60 },
).map((parts) => parts.join(""));

Deno.test("parseConfig() throws nothing but its own errors whatever the text (property)", () => {
  fc.assert(fc.property(yamlLike, (text) => void refusal(text)), { numRuns: 1000 });
});

Deno.test("parseConfig() throws nothing but its own errors whatever the options (property)", () => {
  const key = fc.oneof(
    fc.constantFrom(
      ...allKeys().map(({ path }) => path),
      "augmentation.local",
      "x.y",
      "__proto__.a",
      "data.",
    ),
    fc.string({ unit: "binary", maxLength: 12 }).map((text) => `data.${text}`),
  );
  const value = fc.oneof(
    yamlLike,
    fc.string({ unit: "binary" }),
    fc.double().map(String),
    fc.bigInt().map(String),
  );
  const one = fc.tuple(key, value).map(([key, value]) => `--${key}=${value}`);
  fc.assert(fc.property(fc.array(one, { maxLength: 6 }), (args) => void refusal("{}", args)), {
    numRuns: 1000,
  });
});
