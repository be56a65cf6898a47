/**
 * Looks at many files: here where they are few, in workers where they are many.
 *
 * Workers wait for slow disks side by side, and leave the main thread free.
 *
 * @module
 */

import type { Progress } from "./dataset.ts";
import { fingerprint, inspect, type Inspected, placeOf, type Stamp } from "./inspect.ts";
import { reasonOf } from "./walk.ts";

/** One file to look at. */
export interface Question {
  path: string;
  /** Whether it is a symbolic link. */
  link?: boolean;
  /** Its stamp from before: nothing but the stamp is looked at when that is the same. */
  known?: Stamp;
}

/** What is found; `place` only where contents were asked for. */
export interface Found extends Inspected {
  /** See {@linkcode placeOf}. */
  place?: number;
}

/** What a worker is asked. */
export interface Chunk {
  questions: readonly Question[];
  /** Headers, or places by contents. */
  what: "headers" | "contents";
}

/** Files of one message, and as many are looked at without any worker. */
const CHUNK = 256;

/** Workers: at first, and at most. Another one is started whenever a chunk took longer than `SLOW` ms. */
const FIRST = 2, MOST = 16, SLOW = 25;

/** Looks at the files of a chunk, in their order. */
export function lookAt({ questions, what }: Chunk): Found[] {
  return questions.map(({ path, link, known }) => {
    if (what === "headers") return inspect(path, link, known);
    const before = inspect(path, false, known);
    try {
      // Not a pipe, and not a file that is read before its header says that it is a picture.
      return before.stamp ? { ...before, place: placeOf(fingerprint(path)) } : before;
    } catch (error) {
      return { reason: reasonOf(error, path) };
    }
  });
}

/**
 * Looks at files.
 *
 * @param onProgress Called after each chunk.
 * @returns What is found, in the order of the questions: it does not depend on the number of workers.
 */
export async function lookAtAll(
  questions: readonly Question[],
  what: Chunk["what"],
  onProgress?: Progress,
): Promise<Found[]> {
  const n = questions.length;
  if (n <= CHUNK) return lookAt({ questions, what });
  const results = new Array<Found>(n);
  let next = 0, done = 0;
  const work = async () => {
    let worker = open();
    try {
      while (next < n) {
        const from = next, began = performance.now();
        next += CHUNK;
        const chunk: Chunk = { questions: questions.slice(from, next), what };
        let found = await ask(worker, chunk);
        if (!found) { // workers are forbidden here, or one has died: the same on this thread
          worker?.terminate();
          worker = undefined;
          found = lookAt(chunk);
        }
        found.forEach((one, i) => results[from + i] = one);
        done += found.length;
        onProgress?.(done, n, what === "headers" ? "reading headers" : "comparing contents");
        if (performance.now() - began > SLOW && crew.length < MOST) crew.push(work());
      }
    } catch (error) {
      next = n; // the others end too
      throw error;
    } finally {
      worker?.terminate();
    }
  };
  const crew: Promise<void>[] = [];
  for (let i = 0; i < FIRST; i++) crew.push(work());
  let all: PromiseSettledResult<void>[] = [];
  while (all.length < crew.length) all = await Promise.allSettled(crew); // it may have grown meanwhile
  for (const result of all) if (result.status === "rejected") throw result.reason;
  return results;
}

function open(): Worker | undefined {
  try {
    return new Worker(new URL("./index_worker.ts", import.meta.url), { type: "module" });
  } catch {
    return undefined;
  }
}

/** The worker's answer; undefined, after a turn of the event loop, when there will be none. */
function ask(worker: Worker | undefined, chunk: Chunk): Promise<Found[] | undefined> {
  return new Promise((resolve) => {
    if (!worker) return void setTimeout(() => resolve(undefined));
    worker.onmessage = ({ data }: MessageEvent<Found[]>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault(); // otherwise the error ends the whole program
      resolve(undefined);
    };
    worker.postMessage(chunk);
  });
}
