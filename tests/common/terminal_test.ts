import assert from "node:assert/strict";
import { writeRaw } from "../../scripts/common/terminal.ts";

/** A screen that takes a few bytes at a time and fails as it is told. */
function screen(faults: (Error | undefined)[]) {
  const taken: number[] = [];
  return {
    isTerminal: () => false,
    writeSync(bytes: Uint8Array): number {
      const fault = faults.shift();
      if (fault) throw fault;
      taken.push(...bytes.subarray(0, 3));
      return Math.min(3, bytes.length);
    },
    get text() {
      return new TextDecoder().decode(Uint8Array.from(taken));
    },
  };
}

Deno.test("a stream that is busy for a moment gets the whole text", () => {
  const busy = new Deno.errors.WouldBlock("busy");
  const slow = screen([undefined, busy, busy, undefined, busy]);
  assert.equal(writeRaw(slow, "a whole line\n"), undefined);
  assert.equal(slow.text, "a whole line\n");
});

Deno.test("a stream that is gone is no exception", () => {
  const gone = new Deno.errors.BrokenPipe("gone");
  assert.equal(writeRaw(screen([undefined, gone]), "a whole line\n"), gone);
});
