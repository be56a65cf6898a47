import assert from "node:assert/strict";
import { shown, shownLines } from "../lib/text.ts";

Deno.test("a name cannot command the terminal, end its line or turn its direction", () => {
  assert.equal(shown("a\x1b]0;title\x07b"), "a\\x1b]0;title\\x07b");
  assert.equal(shown("a\r\nb\x9bc"), "a\\x0d\\x0ab\\x9bc");
  assert.equal(shown("cat\u202egnp.exe\u2066\u061c"), "cat\\u202egnp.exe\\u2066\\u061c");
  assert.equal(shown("Größe 猫 👩‍🚀.png"), "Größe 猫 👩‍🚀.png");
});

Deno.test("a message keeps its lines and nothing else", () => {
  assert.equal(shownLines("one\n\ttwo\x1b[2J\r"), "one\n\ttwo\\x1b[2J\\x0d");
});
