/**
 * Rows of numbers by the files that they were made from, kept in the cache folder, never in the folder itself.
 *
 * @module
 */
import { sameStamp, type Stamp } from "../data/inspect.ts";
import { cacheRoots } from "../data/unpack.ts";
import { type Entry, type Head, type Meta, rowsOf } from "./segment.ts";
import { SegmentFiles, StoreChanged } from "./segment_files.ts";

/** Bytes of rows in a segment: what is read at once, and at most lost when a search is killed. */
const SEGMENT_BYTES = 2 ** 24;

/** A file that changed this short before it was read may change again within the same tick of its clock. */
const RACY_MS = 2000;

/** More segments than this are merged, or as soon as half of all rows are of no use. */
const MOST_SEGMENTS = 64;

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

/**
 * Segments of at most 16 MiB, later ones winning. Only names and stamps are in memory; rows are read segment by segment.
 */
export class RowStore {
  readonly #files: SegmentFiles;
  readonly #rowBytes: number;
  readonly #known = new Map<string, Known>();
  /** Number of rows. */
  readonly #segments = new Map<string, number>();
  #fresh: { entry: Entry; row?: Uint8Array }[] = [];
  #freshBytes = 0;

  private constructor(files: SegmentFiles, rowBytes: number) {
    this.#files = files;
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
    const { files, heads } = await SegmentFiles.open(of, rowBytes, roots);
    const store = new RowStore(files, rowBytes);
    for (const [name, head] of heads) store.#take(name, head);
    return store;
  }

  /** What the user should know of the cache. */
  get remarks(): string[] {
    return this.#files.remarks;
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
    this.#take(await this.#files.add(entries, withRow.map(({ row }) => row!)), { entries });
  }

  /** Forgets all files but these, and merges segments when much of them is of no use. */
  async keep(ids: ReadonlySet<string>): Promise<void> {
    await this.flush();
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    if (!this.#files.allWritten) return;
    const rows = [...this.#segments.values()].reduce((sum, rows) => sum + rows, 0);
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
      const { head, data } = await this.#files.get(name);
      const ids: string[] = [];
      head.entries.forEach((entry, row) => {
        if (!this.#isLive(entry, name, row)) return;
        const from = row * this.#rowBytes; // rows move down over those of no use
        data.copyWithin(ids.length * this.#rowBytes, from, from + this.#rowBytes);
        ids.push(entry.id);
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
      const { data } = await this.#files.get(name);
      for (const id of ids) {
        const known = this.#known.get(id);
        if (known?.segment !== name || known.reason !== undefined) continue;
        const from = known.row * this.#rowBytes;
        found.set(id, data.slice(from, from + this.#rowBytes));
      }
    }
    return found;
  }

  #take(segment: string, head: Pick<Head, "entries">): void {
    head.entries.forEach(({ id, stamp, reason, meta }, row) => {
      this.#known.set(id, { stamp, reason, meta, segment, row });
    });
    this.#segments.set(segment, rowsOf(head));
  }

  /** Whether a row is the last one of its file. */
  #isLive({ id, reason }: Entry, segment: string, row: number): boolean {
    const known = this.#known.get(id);
    return reason === undefined && known?.segment === segment && known.row === row;
  }

  async #merge(): Promise<void> {
    const before = [...this.#segments.keys()];
    const lost = [...this.#known].filter(([, { reason }]) => reason !== undefined);
    for (const name of before) {
      const { head, data } = await this.#files.get(name);
      for (const [row, entry] of head.entries.entries()) {
        if (!this.#isLive(entry, name, row)) continue;
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
    if (!this.#files.allWritten) return; // some of it is in memory only
    for (const name of before) {
      this.#segments.delete(name);
      await this.#files.remove(name);
    }
  }
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
