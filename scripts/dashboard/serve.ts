/**
 * The process that serves the dashboard of one run: started by that run, told of it through standard input, and
 * ended with it.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { writeRaw } from "../common/terminal.ts";
import { messages, type News, type Reply, type Settings } from "../common/dashboard/protocol.ts";
import { Runs } from "./runs.ts";
import { Dashboard } from "./server.ts";
import type { Live } from "./view.ts";

// The terminal sends these to every process in it; the run decides what becomes of them.
for (const signal of ["SIGINT", "SIGHUP"] as const) Deno.addSignalListener(signal, () => {});

function reply(message: Reply): void {
  writeRaw(Deno.stdout, JSON.stringify(message) + "\n");
}

try {
  const input = messages<Settings | News>(Deno.stdin.readable);
  const { value: settings } = await input.next() as { value: Settings };
  const live: Live = {};
  const runs = new Runs(["."], { single: true });
  const dashboard = new Dashboard({
    runs,
    token: settings.token,
    live,
    onCommand: (command) => reply({ command }),
  });
  reply({ url: await dashboard.listen(settings) });
  for await (const news of input as AsyncIterable<News>) {
    if ("status" in news) delete live.end; // it goes on with a new device
    Object.assign(live, news);
  }
  live.end ??= { code: 1, error: "the run has ended without a word: it crashed or was killed" };
  await dashboard.close();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  reply({ error: error.message });
  Deno.exit(1);
}
