/**
 * Calls from a page to its worker, and events back.
 *
 * @module
 */
import type { Calls, Events } from "./protocol.ts";

/** One end of a channel: a worker as the page has it, or the worker's own scope. */
export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

type Method = keyof Calls;
interface Call {
  id: number;
  method: Method;
  args: unknown[];
}
type Answer = { id: number; result: unknown } | { id: number; error: string };
type News = { [K in keyof Events]: { event: K; data: Events[K] } }[keyof Events];

/** Who calls. */
export interface Client extends Calls {
  /** Hears of an event. */
  on<K extends keyof Events>(event: K, listener: (data: Events[K]) => void): void;
}

/**
 * Calls through a port.
 *
 * @param trouble Told when the worker cannot even start.
 */
export function clientOf(port: Port, trouble: (why: string) => void): Client {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const listeners = new Map<string, ((data: unknown) => void)[]>();
  let last = 0;
  port.addEventListener("message", ({ data }: MessageEvent<Answer | News>) => {
    if ("event" in data) {
      for (const listener of listeners.get(data.event) ?? []) listener(data.data);
      return;
    }
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) call?.reject(new Error(data.error));
    else call?.resolve(data.result);
  });
  (port as Partial<Worker>).addEventListener?.("error", (event) => {
    const why = (event as ErrorEvent).message || "its script could not be loaded";
    for (const call of waiting.values()) call.reject(new Error(why));
    waiting.clear();
    trouble(why);
  });
  const call = (method: Method) => (...args: unknown[]) => {
    const promise = Promise.withResolvers<unknown>();
    waiting.set(++last, promise);
    port.postMessage({ id: last, method, args } satisfies Call, []);
    return promise.promise;
  };
  const on = (event: string, listener: (data: unknown) => void) => {
    listeners.set(event, [...listeners.get(event) ?? [], listener]);
  };
  return new Proxy({} as Client, {
    get: (_, name: string) => name === "on" ? on : call(name as Method),
  });
}

/** Answers calls from a port, one after the other where `turn` says so. */
export function serve(port: Port, calls: Calls, turn: <T>(work: () => Promise<T>) => Promise<T>) {
  port.addEventListener("message", async ({ data }: MessageEvent<Call>) => {
    const { id, method, args } = data;
    try {
      const work = calls[method] as (...args: unknown[]) => Promise<unknown>;
      const result = await (method === "speed" ? work(...args) : turn(() => work(...args)));
      port.postMessage({ id, result }, transfers(result));
    } catch (error) {
      port.postMessage({ id, error: (error as Error).message }, []);
    }
  });
}

/** What is handed over rather than copied: bitmaps and the memory of arrays. */
function transfers(value: unknown): Transferable[] {
  if (value instanceof ImageBitmap) return [value];
  if (ArrayBuffer.isView(value)) return [value.buffer as ArrayBuffer];
  if (typeof value !== "object" || value === null) return [];
  return [...new Set(Object.values(value).flatMap(transfers))];
}
