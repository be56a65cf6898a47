/** scripts/dashboard/http.ts: whoever sends too much, too little or nothing does not hold a dashboard up. */
import assert from "node:assert/strict";
import { TOKEN_HEADER } from "../../scripts/dashboard/gate.ts";
import { type Handler, HttpServer, LIMITS } from "../../scripts/dashboard/http.ts";
import { Runs } from "../../scripts/dashboard/runs.ts";
import { Dashboard } from "../../scripts/dashboard/server.ts";
import { freePort, TOKEN } from "../support/dashboard.ts";
import { permissionTest } from "../support/permissions.ts";

/** Small limits, so that a test is short. */
const SMALL = {
  ...LIMITS,
  headerMs: 400,
  requestMs: 800,
  idleMs: 300,
  stuckMs: 500,
  connections: 8,
};

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Sends something, and says what comes back until the other end closes; "open" when that takes too long. */
async function sends(port: number, message: string, limit = 5000): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(message)).catch(() => {});
  const piece = new Uint8Array(65536);
  let all = "", timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), limit));
  try {
    for (;;) {
      const n = await Promise.race([connection.read(piece).catch(() => null), late]);
      if (n === "late") return "open";
      if (n === null) return all;
      all += text(piece.subarray(0, n));
    }
  } finally {
    clearTimeout(timer);
  }
}

async function withServer(handler: Handler, fn: (port: number) => Promise<void>): Promise<void> {
  const port = freePort();
  const server = await HttpServer.listen({ host: "127.0.0.1", port }, handler, SMALL);
  try {
    await fn(port);
  } finally {
    await server.close(100);
  }
}

const echo: Handler = async (request) => new Response(`got ${await request.text()}`);

permissionTest(
  ["net"],
  "connections that send nothing or only a part are closed",
  () =>
    withServer(echo, async (port) => {
      const head = "POST / HTTP/1.1\r\nHost: x\r\n";
      const answers = await Promise.all([
        sends(port, ""),
        sends(port, head),
        sends(port, `${head}Content-Length: 10\r\n\r\nabc`),
        sends(port, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nab`),
        sends(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), // kept for a next request that does not come
      ]);
      for (const answer of answers.slice(0, 4)) assert.match(answer, /^(HTTP\/1\.1 408 [^]*)?$/);
      assert.match(answers[4], /^HTTP\/1\.1 200 OK/);
    }),
);

permissionTest(
  ["net"],
  "bodies, headers and requests that are too large or none are refused",
  () =>
    withServer(echo, async (port) => {
      const post = (length: string, body: string) =>
        sends(port, `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n\r\n${body}`);
      assert.match(await post("Content-Length: 5", "pause"), /^HTTP\/1\.1 200 [^]*got pause\r\n/);
      assert.match(await post("Content-Length: 2000", "x".repeat(2000)), /^HTTP\/1\.1 413 /);
      assert.match(
        await post("Content-Length: 999999999", "x".repeat(100_000)),
        /^HTTP\/1\.1 413 /,
      );
      const chunks = `7d0\r\n${"x".repeat(2000)}\r\n`.repeat(50);
      assert.match(await post("Transfer-Encoding: chunked", chunks), /^HTTP\/1\.1 413 /);
      const header = await sends(port, `GET / HTTP/1.1\r\nX: ${"a".repeat(100_000)}\r\n\r\n`);
      assert.doesNotMatch(header, / 200 /);
      assert.doesNotMatch(await sends(port, "\x16\x03\x01 no HTTP at all\r\n\r\n"), / 200 /);
      assert.match(
        await sends(port, "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        /^HTTP\/1\.1 400 /,
      );
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "got ");
    }),
);

permissionTest(
  ["net"],
  "too many connections are turned away, and room is made again",
  () =>
    withServer(echo, async (port) => {
      const held = await Promise.all(
        Array.from({ length: 8 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(await sends(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 300), "");
      await new Promise((resolve) => setTimeout(resolve, 1500)); // they have sent no header in time
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "got ");
      for (const connection of held) connection.close();
    }),
);

permissionTest(
  ["net"],
  "an answer that nobody takes is given up, and its source let go",
  async () => {
    const gone = Promise.withResolvers<void>();
    const endless = () =>
      Promise.resolve(
        new Response(
          new ReadableStream<Uint8Array>({
            pull: (controller) => controller.enqueue(new Uint8Array(1 << 16)),
            cancel: () => gone.resolve(),
          }),
        ),
      );
    await withServer(endless, async (port) => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      await gone.promise; // the test hangs otherwise
    });
  },
);

permissionTest(
  ["net"],
  "a dashboard tells so many pages at once, and others when these have gone",
  async () => {
    const dashboard = new Dashboard({ runs: new Runs([]), token: TOKEN });
    const base = await dashboard.listen({ host: "127.0.0.1", port: freePort() });
    try {
      const listen = async () => {
        const abort = new AbortController();
        const headers = { [TOKEN_HEADER]: TOKEN };
        const response = await fetch(new URL("/events", base), { headers, signal: abort.signal });
        const leave = async () => {
          abort.abort();
          await response.body?.cancel().catch(() => {});
        };
        return { status: response.status, leave };
      };
      const pages = await Promise.all(Array.from({ length: 32 }, listen));
      assert.ok(pages.every(({ status }) => status === 200));
      const more = await listen();
      assert.equal(more.status, 503);
      await more.leave();
      for (const { leave } of pages) await leave();
      for (let tries = 0;; tries++) {
        const late = await listen();
        await late.leave();
        if (late.status === 200) break;
        assert.ok(tries < 50, "pages that have gone still take room");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    } finally {
      await dashboard.close();
    }
  },
);
