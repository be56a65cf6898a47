/** What tests of the dashboard share: a page without a browser, and runs with one. */
import assert from "node:assert/strict";
import { TOKEN_HEADER } from "../../scripts/dashboard/gate.ts";
import type { Command } from "../../scripts/common/dashboard/protocol.ts";
import type { RunView } from "../../scripts/dashboard/view.ts";
import { start } from "./runs.ts";
import { HANG_MS } from "./hang.ts";

/** The token of all of them. */
export const TOKEN = "a-token-of-the-test";

/** A port that is free now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Tries until it works. */
export async function eventually<T>(fn: () => T | Promise<T>, limit: number = HANG_MS): Promise<T> {
  for (const start = performance.now();;) {
    try {
      return await fn();
    } catch (error) {
      if (performance.now() - start > limit) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** What a page hears and asks. */
export class Listener {
  readonly #base: string;
  readonly #headers = { [TOKEN_HEADER]: TOKEN };

  /** Listens to a dashboard on this machine. */
  constructor(port: number) {
    this.#base = `http://127.0.0.1:${port}`;
  }

  /** All that it tells from now on, of its first run. */
  async *told(): AsyncGenerator<RunView> {
    const signal = AbortSignal.timeout(HANG_MS);
    const response = await fetch(`${this.#base}/events`, { headers: this.#headers, signal });
    assert.equal(response.status, 200);
    let rest = "";
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const events = (rest + text).split("\n\n");
      rest = events.pop()!;
      for (const event of events) {
        const [view] = event.startsWith("data: ") ? JSON.parse(event.slice(6)).runs : [];
        if (view) yield view;
      }
    }
  }

  /** Waits until it tells something. */
  async until(wanted: (view: RunView) => boolean): Promise<RunView> {
    let last: RunView | undefined;
    for await (const view of this.told()) {
      last = view;
      if (wanted(view)) return view;
    }
    throw new Error(`never told; the last was ${JSON.stringify(last)}`);
  }

  /** Asks something of the run. */
  async ask(command: Command): Promise<void> {
    const options = { method: "POST", headers: this.#headers, body: command };
    const response = await fetch(`${this.#base}/command`, options);
    assert.equal(await response.text(), "asked\n");
  }
}

/** Starts a run with a dashboard, and waits for that. */
export async function startWatched(folder: string, args: string[], port: number = freePort()) {
  const env = { HATCHLING_DASHBOARD_TOKEN: TOKEN };
  const run = start(folder, [...args, "--dashboard", String(port)], undefined, { env });
  const page = new Listener(port);
  let over = false;
  run.ended.then(() => over = true);
  await eventually(async () => {
    if (!over) await page.until(() => true);
  });
  if (over) throw new Error((await run.ended).stderr);
  return { ...run, page, port };
}
