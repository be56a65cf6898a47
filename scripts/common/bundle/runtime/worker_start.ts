/**
 * The first module of a {@linkcode NodeWorker}: makes of its thread what a browser's worker is.
 *
 * @module
 */
const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");

const scope = globalThis as unknown as {
  self: unknown;
  onmessage?: (event: { data: unknown }) => void;
  postMessage: unknown;
};
scope.self = globalThis;
scope.postMessage = parentPort!.postMessage.bind(parentPort);
// What is sent before the module listens waits.
await import(workerData);
parentPort!.on("message", (data) => scope.onmessage?.({ data }));
