/** Numbers of a command line. */
import assert from "node:assert/strict";
import { positive, share } from "../../scripts/common/numbers.ts";

Deno.test("positive() and share() take numbers of their range, and nothing else", () => {
  assert.deepEqual(["1", "8", "1e3"].map(positive), [1, 8, 1000]);
  for (const text of ["0", "-1", "2.5", "NaN", "Infinity", "", " ", "8 pictures"]) {
    assert.throws(() => positive(text), /whole number from 1 on/, text);
  }
  assert.deepEqual(["1", "0.8", "1e-3"].map(share), [1, 0.8, 0.001]);
  for (const text of ["0", "-0.5", "1.01", "NaN", "Infinity", "", " "]) {
    assert.throws(() => share(text), /number in \(0, 1\]/, text);
  }
});
