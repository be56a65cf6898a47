/** scripts/train/progress.ts: what a run says, whatever becomes of those who listen. */
import assert from "node:assert/strict";
import { Progress, type RunScreen } from "../../scripts/common/progress.ts";
import { surviveStrays } from "../../scripts/train/strays.ts";

/** A screen that keeps what it is told. */
function screenOf(isTerminal: boolean, fails?: Error) {
  let text = "";
  const decoder = new TextDecoder();
  const state = { takes: true };
  const screen: RunScreen = {
    isTerminal: () => isTerminal,
    takes: () => state.takes,
    writeSync: (bytes) => {
      if (fails) throw fails;
      assert.ok(state.takes, "a write that would wait");
      assert.ok(bytes.length <= 4096);
      const part = bytes.subarray(0, 700); // not all at once
      text += decoder.decode(part, { stream: true });
      return part.length;
    },
  };
  return { screen, state, text: () => text };
}

Deno.test("Progress makes visible what a terminal would obey", () => {
  const { screen, text } = screenOf(true), out = screenOf(false);
  const progress = new Progress(screen, out.screen);
  progress.show("a\x1b]0;title\x07\nb\u202e");
  progress.say("skipped: c\x1b[2J\ntwo lines");
  progress.result("d\x9b1m\n");
  assert.equal(
    text(),
    "\r\x1b[2Ka\\x1b]0;title\\x07\\x0ab\\u202e" +
      "\r\x1b[2Kskipped: c\\x1b[2J\ntwo lines\na\\x1b]0;title\\x07\\x0ab\\u202e\n",
  );
  assert.equal(out.text(), "d\\x9b1m\n\n");
});

Deno.test("Progress goes on when nobody reads any more, and says once that results are lost", () => {
  const gone = new Deno.errors.BrokenPipe("Broken pipe");
  const deaf = new Progress(screenOf(true, gone).screen, screenOf(false, gone).screen);
  deaf.show("line", true);
  deaf.say("message");
  deaf.result("result");
  deaf.end();

  const full = Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  const { screen, text } = screenOf(false);
  const progress = new Progress(screen, screenOf(false, full).screen);
  progress.result("one");
  progress.result("two");
  assert.equal(text(), "warning: Cannot write to standard output: No space left on device\n");
});

Deno.test("Progress waits for no screen: messages stay for later, lines do not", () => {
  const { screen, state, text } = screenOf(false);
  const progress = new Progress(screen);
  state.takes = false;
  progress.show("step 1", true);
  progress.say("warning: 1");
  progress.say(`${"😀".repeat(2000)}`);
  for (let i = 0; i < 1000; i++) progress.say("x".repeat(100)); // more than is kept
  progress.show("step 2", true);
  assert.equal(text(), "");
  state.takes = true;
  progress.show("step 3", true);
  const all = text();
  assert.ok(all.startsWith(`warning: 1\n${"😀".repeat(2000)}\nxxx`));
  assert.ok(all.endsWith("xxx\nstep 3\n"), all.slice(-50));
  assert.ok(all.length > 60_000 && all.length < 70_000, `${all.length}`);
});

Deno.test("surviveStrays() warns of errors that nobody waits for, and throws those of the work", async () => {
  const { screen, text } = screenOf(false);
  const progress = new Progress(screen);
  const result = await surviveStrays(progress, async () => {
    Promise.reject(new Error("of a promise"));
    setTimeout(() => {
      throw new Error("of a callback");
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    return 7;
  });
  assert.equal(result, 7);
  assert.match(
    text(),
    /^warning: .* has failed: of a promise; the run goes on\nwarning: .*of a callback;/,
  );
  await assert.rejects(
    surviveStrays(progress, () => Promise.reject(new Error("of the work"))),
    /of the work/,
  );
});
