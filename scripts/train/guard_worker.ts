/**
 * Watches over a run from a thread of its own, which still runs when the main thread waits for the GPU: signals,
 * the end of the program that started the run, and a GPU that no longer answers.
 *
 * @module
 */
import { shown } from "../../lib/text.ts";
import { say as tell } from "../common/terminal.ts";
import { CELL, DEBOUNCE, GONE, type GuardSettings, SIGNALS } from "./guard_shared.ts";
import { launchers, lives } from "./launchers.ts";
import { exitNow } from "./libc.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<GuardSettings>) => void;
  postMessage(message: "ready"): void;
};

/** What there is to say of other signals than SIGUSR2 where there are several ranks. */
const HASTE = "mpirun may end all in a second (send it SIGUSR2, which leaves time)";

const say = (message: string) => tell(`\n${message}`);

scope.onmessage = ({ data: { cells, watchdogSeconds, folder, team } }) => {
  const named = team ? `${team.name}: ` : "";
  let firstAt = -Infinity;
  const ask = (cause: number, message: string) => {
    if (Atomics.compareExchange(cells, CELL.stop, 0, cause) === 0 && team?.leads !== false) {
      say(message);
    }
  };
  for (const [name, number] of Object.entries(SIGNALS)) {
    Deno.addSignalListener(name as Deno.Signal, () => {
      // A terminal and the task runner may both pass on one Ctrl-C.
      if (performance.now() - firstAt < DEBOUNCE) return;
      if (Atomics.load(cells, CELL.stop) || Atomics.load(cells, CELL.saved)) exitNow(128 + number);
      firstAt = performance.now();
      const how = team && name !== "SIGUSR2" ? HASTE : "once more stops at once";
      ask(number, `${name}: stopping and saving; ${how}`);
    });
  }

  const watched = launchers();
  let beat = 0, since = performance.now();
  setInterval(() => {
    const dead = watched.find((process) => !lives(process));
    if (dead) {
      ask(
        GONE,
        `${
          shown(dead.name)
        } (process ${dead.pid}), which started this run, is gone: stopping and saving`,
      );
    }
    const now = Atomics.load(cells, CELL.beat);
    if (now !== beat || !Atomics.load(cells, CELL.armed)) [beat, since] = [now, performance.now()];
    const silent = (performance.now() - since) / 1000;
    if (silent > watchdogSeconds) {
      say(
        `error: ${named}Expected the GPU to answer within ${watchdogSeconds} s but it has not: it hangs, or a step takes ` +
          `longer. Lower data.batch_size, or raise device.watchdog_seconds; go on from the last checkpoint ` +
          `with --resume --out ${shown(folder)}`,
      );
      exitNow(1);
    }
  }, 500);
  scope.postMessage("ready");
};
