/**
 * Serves the page, what it shows, and what is asked of a run.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { type Address, hostAndPort, LOOPBACK, portsOf } from "../common/dashboard/address.ts";
import { Charts } from "./charts.ts";
import { HEADERS, plain, refusal } from "./gate.ts";
import { HttpServer, type Limits } from "./http.ts";
import { page } from "./page.ts";
import { readSnapshot } from "../../lib/run/png.ts";
import { type Command, COMMANDS } from "../common/dashboard/protocol.ts";
import type { Runs } from "./runs.ts";
import { type Live, viewOf } from "./view.ts";

/** Milliseconds between looks at the runs while somebody watches, and between signs of life. */
const LOOK_MS = 1000, ALIVE_MS = 5000;

/** Most pages at once. */
const MOST_PAGES = 32;

/** What to serve. */
export interface Served {
  /** The runs. */
  runs: Runs;
  /** Opens the page. */
  token: string;
  /** What this process's own run tells, where there is one. */
  live?: Live;
  /** Asks something of that run. */
  onCommand?: (command: Command) => void;
  /** What the server puts up with. */
  limits?: Limits;
}

/** A dashboard that is being served. */
export class Dashboard {
  readonly #served: Served;
  readonly #charts: Charts;
  readonly #pages = new Set<ReadableStreamDefaultController<Uint8Array>>();
  readonly #encoder = new TextEncoder();
  #server?: HttpServer;

  #timer?: ReturnType<typeof setTimeout>;
  #sent = "";
  #sentAt = 0;

  /** Serves some runs. */
  constructor(served: Served) {
    this.#served = served;
    this.#charts = new Charts(served.runs);
  }

  /**
   * Listens: at the port that was given, or the first free one.
   *
   * @returns The URL that opens the page.
   * @throws {HatchlingError} When no port is to be had.
   */
  async listen(address: Address): Promise<string> {
    const ports = portsOf(address);
    for (const port of ports) {
      try {
        const place = { host: address.host, port };
        const { limits } = this.#served;
        this.#server = await HttpServer.listen(place, (request) => this.handle(request), limits);
        return `http://${hostAndPort(address.host, port)}/?token=${this.#served.token}`;
      } catch (error) {
        if (isTaken(error) && port !== ports.at(-1)) continue;
        throw listenError(error as Error, address, ports);
      }
    }
    throw new Error("unreachable: there is no port to try");
  }

  /** Answers a request. */
  async handle(request: Request): Promise<Response> {
    const { token, runs } = this.#served;
    const refused = refusal(request, token);
    if (refused) return refused;
    const url = new URL(request.url);
    const id = url.searchParams.get("run") ?? "";
    switch (`${request.method} ${url.pathname}`) {
      case "GET /":
        return page();
      case "GET /events":
        return this.#events();
      case "GET /charts":
        return json(this.#charts.of(url.searchParams.getAll("run")));
      case "GET /snapshot":
        return await snapshot(runs.get(id), Number(url.searchParams.get("step")));
      case "POST /command":
        return await this.#command(request);
      default:
        return plain(404, "There is no such page here");
    }
  }

  /** Tells the pages what has changed, at once. */
  async update(): Promise<void> {
    const { runs, live } = this.#served;
    await runs.refresh();
    const views = runs.entries.map((entry) => viewOf(entry, live));
    const text = JSON.stringify({ runs: views, notes: runs.notes });
    if (text !== this.#sent) this.#send(`data: ${text}\n\n`);
    this.#sent = text;
  }

  /** Tells the pages the last news, and ends. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.update().catch(() => {});
    for (const page of this.#pages) page.close();
    this.#pages.clear();
    await this.#server?.close();
  }

  #events(): Response {
    if (this.#pages.size >= MOST_PAGES) return plain(503, `${MOST_PAGES} pages are open already`);
    let own: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.#pages.add(own);
        // Whoever comes late is told all there is at once.
        own.enqueue(this.#encoder.encode(this.#sent ? `data: ${this.#sent}\n\n` : ": hello\n\n"));
        this.#watch();
      },
      cancel: () => void this.#pages.delete(own),
    });
    return new Response(stream, { headers: { ...HEADERS, "content-type": "text/event-stream" } });
  }

  /** Looks at the runs from time to time while there is somebody to tell. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    const look = async () => {
      // Whatever takes long, pages hear that somebody is there.
      const alive = setInterval(() => this.#send(": alive\n\n"), ALIVE_MS);
      await this.update().catch(() => {}); // a folder in the middle of a change: the next look will do
      clearInterval(alive);
      if (performance.now() - this.#sentAt >= ALIVE_MS) this.#send(": alive\n\n");
      this.#timer = this.#pages.size ? setTimeout(look, LOOK_MS) : undefined;
    };
    this.#timer = setTimeout(look, 0);
  }

  #send(text: string): void {
    this.#sentAt = performance.now();
    const bytes = this.#encoder.encode(text);
    for (const page of this.#pages) {
      // A page that has not read for long is let go: it connects again and is told all.
      if ((page.desiredSize ?? 0) > -64) page.enqueue(bytes);
      else {
        page.close();
        this.#pages.delete(page);
      }
    }
  }

  async #command(request: Request): Promise<Response> {
    const { onCommand, live } = this.#served;
    const command = (await request.text()) as Command;
    if (!COMMANDS.includes(command)) return plain(400, `Expected one of ${COMMANDS.join(", ")}`);
    if (!onCommand || live?.end) {
      return plain(409, "This page can only watch: no run here belongs to its process");
    }
    onCommand(command);
    return plain(202, "asked");
  }
}

async function snapshot(run: ReturnType<Runs["get"]>, step: number): Promise<Response> {
  const known = run?.data.snapshots.find((snapshot) => snapshot.step === step);
  const bytes = known && await readSnapshot(known.path);
  if (!bytes) return plain(404, "There is no such picture");
  return new Response(bytes as BufferSource, {
    headers: { ...HEADERS, "content-type": "image/png" },
  });
}

function json(value: unknown): Response {
  return Response.json(value, { headers: HEADERS });
}

/** Whether a port belongs to somebody else. */
function isTaken(error: unknown): boolean {
  return (error as { code?: string }).code === "EADDRINUSE" ||
    error instanceof Deno.errors.AddrInUse;
}

function listenError(error: Error, address: Address, ports: readonly number[]): HatchlingError {
  const { host, port } = address;
  if (isTaken(error)) {
    const found = port ? `port ${port} is taken` : `ports ${ports[0]} to ${ports.at(-1)} are taken`;
    return new HatchlingError(`Expected a free port at ${host} but ${found}: name another one`);
  }
  const isDenied = error instanceof Deno.errors.PermissionDenied ||
    (error as { code?: string }).code === "EACCES";
  if (isDenied && port! < 1024) {
    return new HatchlingError(
      `Expected a port that users may take but found ${port}: take one above 1023`,
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new HatchlingError(
      `Expected an address that this task may listen at but found ${host}: take ${LOOPBACK} or 0.0.0.0, or ` +
        `start scripts/dashboard.ts with --allow-read --allow-net`,
    );
  }
  return new HatchlingError(`Cannot listen at ${host}: ${error.message}`);
}
