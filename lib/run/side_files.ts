/**
 * The files of a run that its result does not need: metrics, records, pictures. Trouble with one is a warning, and
 * the run goes on.
 *
 * @module
 */
import { join } from "node:path";
import { writeFileAtomic } from "../io/atomic.ts";
import { fileError, readFile } from "../io/files.ts";
import { shown } from "../text.ts";

/** Most bytes that wait in memory for a disk that takes nothing; what comes after them is lost. */
const MOST = 8 << 20;

/** Additions that wait are joined up to so many bytes. */
const JOINED = 1 << 16;

/** Milliseconds between tries of files that nothing was added to. */
const PAUSE = 5000;

/** What is to be done to a file. */
type Change =
  | { kind: "put"; bytes: Uint8Array<ArrayBuffer>; parts: number }
  | { kind: "add"; bytes: Uint8Array<ArrayBuffer>; parts: number }
  | { kind: "edit"; edit: (text: string) => string }
  | { kind: "remove" };

/** What is known of a file. */
interface State {
  /** Changes that wait, in order. */
  waiting: Change[];
  /** Bytes of whole additions, where half of one stands behind them. */
  torn?: number;
  /** Additions and whole files that found no room to wait. */
  lost: number;
  /** Whether the last try failed. */
  fails: boolean;
}

/** How to write. */
export interface SideFileOptions {
  /** Told of trouble, once for each file or sub-folder, and of its end. */
  say: (message: string) => void;
  /** Bytes that may wait in memory. */
  most?: number;
  /** Tells the time in milliseconds. */
  now?: () => number;
}

/**
 * Writes files in a run's folder, in the order of the calls. Nothing here rejects: what cannot be written waits in
 * memory, and is tried again when the same file is written next, from time to time with the others, and at the end.
 */
export class SideFiles {
  /** The folder. */
  readonly folder: string;
  readonly #options: Required<SideFileOptions>;
  readonly #states = new Map<string, State>();
  readonly #said = new Set<string>();
  #queue: Promise<void> = Promise.resolve();
  #kept = 0;
  #tried = -Infinity;

  /** Files in a folder that exists; sub-folders are made where they are needed. */
  constructor(
    folder: string,
    { say, most = MOST, now = () => performance.now() }: SideFileOptions,
  ) {
    this.folder = folder;
    this.#options = { say, most, now };
  }

  /** Replaces a whole file. */
  put(name: string, content: string | Uint8Array): Promise<void> {
    return this.#change(name, { kind: "put", bytes: bytesOf(content), parts: 1 });
  }

  /** Adds a line, or a record, at the end of a file. */
  add(name: string, content: string | Uint8Array): Promise<void> {
    return this.#change(name, { kind: "add", bytes: bytesOf(content), parts: 1 });
  }

  /** Deletes a file. */
  remove(name: string): Promise<void> {
    return this.#change(name, { kind: "remove" });
  }

  /**
   * Rewrites the text of a file; of one that does not exist, "".
   *
   * @returns The new text, "" where it could not be read yet.
   */
  async edit(name: string, edit: (text: string) => string): Promise<string> {
    let found = "";
    await this.#change(name, { kind: "edit", edit: (text) => found = edit(text) });
    return found;
  }

  /** Names of all files that were changed here, whether that could be written or not. */
  get names(): string[] {
    return [...this.#states.keys()];
  }

  /** Waits until all is written or has failed, and says what is not written in the end. */
  async close(): Promise<void> {
    await this.#run(() => this.#retry(true));
    const left = [...this.#states].filter(([, { waiting }]) => waiting.length);
    if (!left.length) return;
    const names = left.map(([name]) => shown(join(this.folder, name)));
    this.#options.say(`warning: never written, or not to the end: ${names.join(", ")}`);
    for (const [name] of left) this.#forget(name);
  }

  /** Support for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #run(work: () => Promise<void>): Promise<void> {
    return this.#queue = this.#queue.then(work).catch((error) =>
      this.#options.say(`warning: ${error.message}; training goes on`)
    );
  }

  #change(name: string, change: Change): Promise<void> {
    return this.#run(async () => {
      const state = this.#states.get(name) ?? { waiting: [], lost: 0, fails: false };
      this.#states.set(name, state);
      if (change.kind === "put" || change.kind === "remove") this.#forget(name);
      this.#keep(state, change);
      await this.#write(name, state);
      await this.#retry();
    });
  }

  /** Tries again what waits, in all files. */
  async #retry(now = false): Promise<void> {
    if (!now && this.#options.now() - this.#tried < PAUSE) return;
    for (const [name, state] of this.#states) {
      if (state.waiting.length) await this.#write(name, state);
    }
  }

  #keep(state: State, change: Change): void {
    const last = state.waiting.at(-1), size = sizeOf(change);
    this.#kept += size;
    if (
      change.kind === "add" && last?.kind === "add" && last.bytes.length + size <= JOINED
    ) {
      const bytes = new Uint8Array(last.bytes.length + size);
      bytes.set(last.bytes);
      bytes.set(change.bytes, last.bytes.length);
      state.waiting.splice(-1, 1, { kind: "add", bytes, parts: last.parts + change.parts });
    } else state.waiting.push(change);
  }

  /** What came last goes first: a file of records needs its beginning. */
  #limit(state: State): void {
    while (this.#kept > this.#options.most && state.waiting.length) {
      const change = state.waiting.pop()!;
      this.#kept -= sizeOf(change);
      state.lost += "parts" in change ? change.parts : 0;
    }
  }

  /** What waits is no longer wanted. */
  #forget(name: string): void {
    const state = this.#states.get(name)!;
    for (const change of state.waiting) this.#kept -= sizeOf(change);
    state.waiting = [];
  }

  async #write(name: string, state: State): Promise<void> {
    const path = join(this.folder, name);
    const [group] = name.split("/");
    try {
      while (state.waiting.length) {
        const [change] = state.waiting;
        await apply(path, name, change, state);
        state.waiting.shift();
        this.#kept -= sizeOf(change);
      }
    } catch (error) {
      this.#tried = this.#options.now();
      this.#limit(state);
      state.fails = true;
      this.#sayOnce(group, () => {
        const { message } = fileError("write", path, error);
        return `warning: ${message}; training goes on, and it is tried again`;
      });
      return;
    }
    if (!state.fails) return;
    const lost = state.lost ? `but ${state.lost} entries are lost` : "and nothing is lost";
    this.#sayOnce(`${group} again`, () => `note: ${shown(path)} is written again, ${lost}`);
    state.fails = false;
    state.lost = 0;
  }

  #sayOnce(what: string, message: () => string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    this.#options.say(message());
  }
}

async function apply(path: string, name: string, change: Change, state: State): Promise<void> {
  switch (change.kind) {
    case "add":
      return await append(path, change.bytes, state);
    case "remove":
      await Deno.remove(path).catch((error) => {
        const none = error instanceof Deno.errors.NotFound ||
          error instanceof Deno.errors.NotADirectory;
        if (!none) throw fileError("delete", path, error);
      });
      break;
    case "put":
      if (name.includes("/")) await makeFolder(join(path, ".."));
      await writeFileAtomic(path, change.bytes);
      break;
    case "edit": {
      const before = await read(path), after = change.edit(before);
      if (after !== before) await writeFileAtomic(path, bytesOf(after));
    }
  }
  state.torn = undefined;
}

/** Readers stop at half a line or record with others behind it: it is cut off, at once or before the next. */
async function append(path: string, bytes: Uint8Array, state: State): Promise<void> {
  // Opening a FIFO would wait without end, and a device would take everything.
  const info = await Deno.stat(path).catch(() => undefined);
  if (info && !info.isFile) {
    throw fileError("write", path, new Error("expected a regular file but found something else"));
  }
  using file = await Deno.open(path, { append: true, create: true });
  if (state.torn !== undefined) await file.truncate(state.torn);
  const sound = state.torn ?? (await file.stat()).size;
  state.torn = sound;
  try {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    state.torn = undefined;
  } catch (error) {
    await file.truncate(sound).then(() => state.torn = undefined, () => {});
    throw error;
  }
}

/** A file's text; "" where there is none. */
async function read(path: string): Promise<string> {
  const isThere = await Deno.stat(path).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError("read", path, error);
  });
  return isThere ? new TextDecoder().decode(await readFile(path)) : "";
}

async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw fileError("create", path, error);
  });
}

function bytesOf(content: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof content === "string" ? new TextEncoder().encode(content) : new Uint8Array(content);
}

function sizeOf(change: Change): number {
  return "bytes" in change ? change.bytes.length : 0;
}
