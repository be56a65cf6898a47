/**
 * Rows of numbers by the files that they were made from, kept in the cache folder, never in the folder itself.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { sameStamp, type Stamp } from "../data/inspect.ts";
import { cacheRoots, isOurs } from "../data/unpack.ts";
import { HatchlingError } from "../errors.ts";
import { TEMPORARY_SUFFIX, writeFileAtomic } from "../io/atomic.ts";
import { readFile } from "../io/files.ts";
import {
  decodeSegment,
  encodeSegment,
  type Entry,
  type Head,
  type Meta,
  rowsOf,
  type Segment,
} from "./segment.ts";

/** Bytes of rows in a segment: what is read at once, and at most lost when a search is killed. */
const SEGMENT_BYTES = 2 ** 24;

/** No segment is larger: this is room for many long names. */
const MOST_BYTES = 2 ** 30;

/** A file that changed this short before it was read may change again within the same tick of its clock. */
const RACY_MS = 2000;

/** More segments than this are merged, or as soon as half of all rows are of no use. */
const MOST_SEGMENTS = 64;

/** Milliseconds after which a file that was never finished belongs to nobody any more. */
const ABANDONED_MS = 3_600_000;

/** What is known of a file. */
export interface Known {
  stamp: Stamp;
  /** Why there is no row. */
  reason?: string;
  meta: Meta;
  /** Segment and row. */
  segment: string;
  row: number;
}

/** Live rows of a segment. */
export interface Rows {
  ids: string[];
  /** Rows one after the other. */
  data: Uint8Array<ArrayBuffer>;
}

/** What was sound when it was opened is so no more: to be opened again. */
export class StoreChanged extends HatchlingError {}

/**
 * Segments of at most 16 MiB in a folder of their own, each written once, later ones winning. Only names and
 * stamps are in memory; rows are read segment by segment. Every byte is checked whenever it is read: what is
 * damaged counts as not there. Where nothing can be written, rows stay in memory.
 */
export class RowStore {
  readonly #folder: string | undefined;
  readonly #of: string;
  readonly #rowBytes: number;
  readonly #known = new Map<string, Known>();
  /** Number of rows, and the bytes of a segment that could not be written. */
  readonly #segments = new Map<string, { rows: number; bytes?: Uint8Array<ArrayBuffer> }>();
  #fresh: { entry: Entry; row?: Uint8Array }[] = [];
  #freshBytes = 0;
  #number = 0;
  #damaged = 0;
  #unwritten?: string;

  private constructor(folder: string | undefined, of: string, rowBytes: number) {
    this.#folder = folder;
    this.#of = of;
    this.#rowBytes = rowBytes;
  }

  /**
   * Opens what is kept of something, nothing at first. Never fails.
   *
   * @param of Folder of the pictures and kind of the rows.
   * @param rowBytes Bytes of a row.
   * @param roots Candidates for the cache folder, best first.
   */
  static async open(
    of: string,
    rowBytes: number,
    roots: readonly string[] = cacheRoots(),
  ): Promise<RowStore> {
    const name = createHash("sha256").update(of).digest("hex").slice(0, 32);
    const tried: string[] = [];
    for (const root of roots) {
      const folder = join(root, "search", name);
      try {
        await Deno.mkdir(root, { recursive: true, mode: 0o700 });
        if (!await isOurs(root)) throw new Error("not a folder of this user alone");
        await Deno.mkdir(folder, { recursive: true });
        const store = new RowStore(folder, of, rowBytes);
        await store.#load(folder);
        if (!store.#segments.size) await Deno.remove(await Deno.makeTempFile({ dir: folder }));
        return store;
      } catch (error) {
        tried.push(`${folder} (${(error as Error).message})`);
      }
    }
    const store = new RowStore(undefined, of, rowBytes);
    store.#unwritten = tried.join(", ");
    return store;
  }

  /** What the user should know of the cache. */
  get remarks(): string[] {
    const remarks: string[] = [];
    if (this.#damaged) {
      remarks.push(
        `${this.#damaged} of the files kept in ${this.#folder} were damaged or of another version: what they ` +
          `held was made again`,
      );
    }
    if (this.#unwritten !== undefined) {
      remarks.push(
        `what was found in the pictures could not be kept, and will be made again next time: ` +
          `${this.#unwritten}. Set HATCHLING_CACHE to a folder that can be written`,
      );
    }
    return remarks;
  }

  /** What is known of a file, unless it has changed. */
  get(id: string, stamp: Stamp): Known | undefined {
    const known = this.#known.get(id);
    return known && sameStamp(known.stamp, stamp) ? known : undefined;
  }

  /** What is kept beside the row of a file. */
  meta(id: string): Meta | undefined {
    return this.#known.get(id)?.meta;
  }

  /** Why a file has no row. */
  reason(id: string): string | undefined {
    return this.#known.get(id)?.reason;
  }

  /** Takes a row, or the reason why there is none; what changed only just now is looked at again next time. */
  async add(
    id: string,
    stamp: Stamp,
    found: { row: Uint8Array; meta?: Meta } | { reason: string },
  ): Promise<void> {
    const racy = Math.max(stamp.mtime, stamp.ctime) > Date.now() - RACY_MS;
    const kept = racy ? { ...stamp, mtime: -1 } : stamp;
    const row = "row" in found ? found.row.slice() : undefined;
    const reason = "row" in found ? undefined : found.reason;
    const entry = { id, stamp: kept, reason, meta: "row" in found ? found.meta ?? {} : {} };
    this.#fresh.push({ entry, row });
    this.#freshBytes += this.#rowBytes;
    if (this.#freshBytes >= SEGMENT_BYTES) await this.flush();
  }

  /** Writes what was taken; what cannot be written stays in memory. */
  async flush(): Promise<void> {
    if (!this.#fresh.length) return;
    const fresh = this.#fresh.splice(0);
    this.#freshBytes = 0;
    const withRow = fresh.filter(({ row }) => row), without = fresh.filter(({ row }) => !row);
    const entries = [...withRow, ...without].map(({ entry }) => entry);
    const head: Head = { of: this.#of, rowBytes: this.#rowBytes, entries };
    const bytes = encodeSegment(head, withRow.map(({ row }) => row!));
    const name = `${String(this.#number++).padStart(6, "0")}-${crypto.randomUUID()}.rows`;
    this.#take(name, head, await this.#write(name, bytes) ? undefined : bytes);
  }

  /** Forgets all files but these, and merges segments when much of them is of no use. */
  async keep(ids: ReadonlySet<string>): Promise<void> {
    await this.flush();
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    if (this.#unwritten !== undefined) return;
    const rows = [...this.#segments.values()].reduce((sum, { rows }) => sum + rows, 0);
    if (
      this.#segments.size > MOST_SEGMENTS + rows * this.#rowBytes / SEGMENT_BYTES ||
      this.#known.size < rows / 2
    ) await this.#merge();
  }

  /**
   * All live rows, segment by segment.
   *
   * @throws {StoreChanged} When a segment that was sound is so no more.
   */
  async *read(): AsyncGenerator<Rows> {
    await this.flush();
    for (const name of this.#segments.keys()) {
      const { head, data } = await this.#segment(name);
      const ids: string[] = [];
      head.entries.forEach(({ id, reason }, row) => {
        const known = this.#known.get(id);
        if (reason !== undefined || known?.segment !== name || known.row !== row) return;
        const from = row * this.#rowBytes; // rows move down over those of no use
        data.copyWithin(ids.length * this.#rowBytes, from, from + this.#rowBytes);
        ids.push(id);
      });
      yield { ids, data: data.subarray(0, ids.length * this.#rowBytes) };
    }
  }

  /**
   * Rows of some files, by id.
   *
   * @throws {StoreChanged} When a segment that was sound is so no more.
   */
  async rows(ids: ReadonlySet<string>): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    await this.flush();
    const segments = new Set([...ids].map((id) => this.#known.get(id)?.segment));
    const found = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const name of segments) {
      if (name === undefined) continue;
      const { data } = await this.#segment(name);
      for (const id of ids) {
        const known = this.#known.get(id);
        if (known?.segment !== name || known.reason !== undefined) continue;
        const from = known.row * this.#rowBytes;
        found.set(id, data.slice(from, from + this.#rowBytes));
      }
    }
    return found;
  }

  /** Reads all segments, one after the other: so it is known now which rows have to be made again. */
  async #load(folder: string): Promise<void> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".rows")) names.push(name);
      else if (name.endsWith(TEMPORARY_SUFFIX)) await removeAbandoned(join(folder, name));
    }
    for (const name of names.sort()) {
      this.#number = Math.max(this.#number, Number.parseInt(name) + 1 || 0);
      const head = (await this.#readSegment(name))?.head;
      if (head) {
        this.#take(name, head);
        continue;
      }
      // Gone: another search has merged it. Else it is of no use to anybody.
      const there = await Deno.lstat(join(folder, name)).then(() => true, () => false);
      if (!there) continue;
      this.#damaged++;
      await Deno.remove(join(folder, name), { recursive: true }).catch(() => {});
    }
  }

  #take(segment: string, head: Head, bytes?: Uint8Array<ArrayBuffer>): void {
    head.entries.forEach(({ id, stamp, reason, meta }, row) => {
      this.#known.set(id, { stamp, reason, meta, segment, row });
    });
    this.#segments.set(segment, { rows: rowsOf(head), bytes });
  }

  async #write(name: string, bytes: Uint8Array): Promise<boolean> {
    if (this.#folder === undefined) return false;
    try {
      await writeFileAtomic(join(this.#folder, name), bytes);
      return true;
    } catch (error) {
      this.#unwritten ??= (error as Error).message;
      return false;
    }
  }

  async #segment(name: string): Promise<Segment> {
    const found = await this.#readSegment(name);
    if (found) return found;
    throw new StoreChanged(
      `Expected ${
        join(this.#folder!, name)
      } as it was a moment ago but another program has removed or ` +
        `changed it: search again`,
    );
  }

  async #readSegment(name: string): Promise<Segment | undefined> {
    const bytes = this.#segments.get(name)?.bytes?.slice() ??
      await readFile(join(this.#folder!, name), { maxBytes: MOST_BYTES }).catch(() => undefined);
    return bytes && decodeSegment(bytes, this.#of, this.#rowBytes);
  }

  async #merge(): Promise<void> {
    const before = [...this.#segments.keys()];
    const lost = [...this.#known].filter(([, { reason }]) => reason !== undefined);
    for (const name of before) {
      const { head, data } = await this.#segment(name);
      for (const [row, entry] of head.entries.entries()) {
        const known = this.#known.get(entry.id);
        if (entry.reason !== undefined || known?.segment !== name || known.row !== row) continue;
        this.#fresh.push({
          entry,
          row: data.slice(row * this.#rowBytes, (row + 1) * this.#rowBytes),
        });
        this.#freshBytes += this.#rowBytes;
        if (this.#freshBytes >= SEGMENT_BYTES) await this.flush();
      }
    }
    for (const [id, { stamp, reason, meta }] of lost) {
      this.#fresh.push({ entry: { id, stamp, reason, meta } });
    }
    await this.flush();
    if (this.#unwritten !== undefined) return; // some of it is in memory only
    for (const name of before) {
      this.#segments.delete(name);
      await Deno.remove(join(this.#folder!, name)).catch(() => {});
    }
  }
}

async function removeAbandoned(path: string): Promise<void> {
  const { mtime } = await Deno.lstat(path).catch(() => ({ mtime: null }));
  if (mtime && Date.now() - mtime.getTime() > ABANDONED_MS) await Deno.remove(path).catch(() => {});
}

/** Does some work with stores, once more if another program changed them meanwhile. */
export async function retried<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreChanged)) throw error;
    return await work();
  }
}
