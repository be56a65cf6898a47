/**
 * The HTTP server below a dashboard: nobody can hold it up, by much or by nothing.
 *
 * `Deno.serve` keeps a connection that sends nothing, half a header or half a body for ever (2.9.6), and takes any
 * number of them. The server of `node:http` has the limits that are set here.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { HEADERS, plain } from "./gate.ts";

/** What a server puts up with. */
export interface Limits {
  /** Milliseconds for a whole header, and for a whole request. */
  headerMs: number;
  requestMs: number;
  /** Milliseconds that a connection may rest between two requests. */
  idleMs: number;
  /** Milliseconds that somebody may take nothing of an answer. */
  stuckMs: number;
  /** Connections at once. */
  connections: number;
  /** Bytes of a body: a command has a dozen. */
  body: number;
}

/** The limits of a dashboard. */
export const LIMITS: Limits = {
  headerMs: 10_000,
  requestMs: 15_000,
  idleMs: 10_000,
  stuckMs: 30_000,
  connections: 128,
  body: 1024,
};

/** Answers requests. */
export type Handler = (request: Request) => Promise<Response>;

/** A server that listens. */
export class HttpServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens.
   *
   * @throws {Error} With the code that the system gives, EADDRINUSE for instance.
   */
  static async listen(
    { host, port }: { host: string; port: number },
    handler: Handler,
    limits: Limits = LIMITS,
  ): Promise<HttpServer> {
    const server = createServer({
      headersTimeout: limits.headerMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(1000, limits.headerMs),
      maxHeaderSize: 16384,
    }, (incoming, outgoing) => {
      answer(incoming, outgoing, handler, limits).catch(() => outgoing.destroy());
    });
    server.maxConnections = limits.connections;
    server.on("clientError", (_, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        server.on("error", () => {}); // of one connection
        resolve();
      });
    });
    return new HttpServer(server);
  }

  /** Takes nobody in any more; what has not been sent within `ms` milliseconds is given up. */
  async close(ms = 1000): Promise<void> {
    const timer = setTimeout(() => this.#server.closeAllConnections(), ms);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
    clearTimeout(timer);
  }
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: Handler,
  limits: Limits,
): Promise<void> {
  const request = await requestOf(incoming, limits.body);
  const response = request instanceof Request ? await handler(request).catch(failed) : request;
  // What was not read of a body that is too large would be taken for the next request.
  if (!incoming.complete) outgoing.setHeader("connection", "close");
  outgoing.writeHead(response.status, [...response.headers].flat());
  await send(response, outgoing, limits.stuckMs);
  if (!incoming.complete) incoming.destroy();
}

function failed(): Response {
  return plain(500, "Something went wrong here; the run itself is not touched by it");
}

/** The request with its body; or the answer to one that is not heard. */
async function requestOf(incoming: IncomingMessage, most: number): Promise<Request | Response> {
  const { method = "GET", url = "/" } = incoming;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of incoming as AsyncIterable<Uint8Array>) {
    size += piece.length;
    if (size > most) return plain(413, `Expected a body of at most ${most} bytes`);
    pieces.push(piece);
  }
  const body = method === "GET" || method === "HEAD" ? undefined : new Blob(pieces as BlobPart[]);
  try {
    const headers = Object.entries(incoming.headers).map(([name, value]) => [name, `${value}`]);
    const all = new Headers(headers as [string, string][]);
    return new Request(new URL(url, "http://dashboard"), { method, headers: all, body });
  } catch {
    return new Response(null, { status: 400, headers: HEADERS });
  }
}

/** Sends an answer as fast as it is taken; nobody who takes nothing keeps it. */
async function send(response: Response, outgoing: ServerResponse, ms: number): Promise<void> {
  const reader = response.body?.getReader();
  outgoing.on("close", () => void reader?.cancel().catch(() => {}));
  for (;;) {
    const { value, done } = await reader?.read() ?? { done: true };
    if (done || outgoing.destroyed) break;
    if (!outgoing.write(value)) await drained(outgoing, ms);
  }
  outgoing.end();
}

/** Waits until all has been taken; ends the connection when that takes too long. */
async function drained(outgoing: ServerResponse, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => outgoing.destroy(), ms);
    const over = () => {
      clearTimeout(timer);
      outgoing.off("drain", over);
      outgoing.off("close", over);
      resolve();
    };
    outgoing.on("drain", over);
    outgoing.on("close", over);
  });
}
