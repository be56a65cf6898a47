/**
 * Rows of numbers by the files that they were made from, kept in the cache folder, never in the folder itself.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { sameStamp, type Stamp } from "../../lib/data/inspect.ts";
import { cacheRoots, isOurs } from "../../lib/data/unpack.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";

/** Version of the file format. */
const VERSION = 1;

/** Bytes of rows in a segment: what is read at once, and at most lost when a search is killed. */
const SEGMENT_BYTES = 2 ** 24;

/** A file that changed this short before it was read may change again within the same tick of its clock. */
const RACY_MS = 2000;

/** More segments than this are merged, or as soon as half of all rows are of no use. */
const MOST_SEGMENTS = 64;

/** What is kept beside a row: JSON. */
export type Meta = Record<string, string | number>;

/** What is known of a file. */
export interface Known {
  stamp: Stamp;
  /** Why there is no row. */
  reason?: string;
  meta: Meta;
  /** Segment and row, of a row that is on disk. */
  segment: string;
  row: number;
}

/** A file's entry in a segment; without a row, `reason` says why. */
interface Entry {
  id: string;
  stamp: Stamp;
  reason?: string;
  meta: Meta;
}

interface Head {
  of: string;
  rowBytes: number;
  entries: Entry[];
}

/** Live rows of a segment. */
export interface Rows {
  ids: string[];
  /** Rows one after the other. */
  data: Uint8Array<ArrayBuffer>;
}

/**
 * Segments of at most 16 MiB in a folder of their own, each written once, later ones winning. Only names and
 * stamps are in memory; rows are read segment by segment.
 */
export class RowStore {
  readonly folder: string;
  readonly #of: string;
  readonly #rowBytes: number;
  readonly #known = new Map<string, Known>();
  readonly #segments = new Map<string, number>();
  #fresh: { entry: Entry; row?: Uint8Array }[] = [];
  #freshBytes = 0;
  #number = 0;

  private constructor(folder: string, of: string, rowBytes: number) {
    this.folder = folder;
    this.#of = of;
    this.#rowBytes = rowBytes;
  }

  /**
   * Opens what is kept of something, nothing at first.
   *
   * @param of Folder of the pictures and kind of the rows.
   * @param rowBytes Bytes of a row.
   * @throws {HatchlingError} When no cache folder can be written.
   */
  static async open(of: string, rowBytes: number): Promise<RowStore> {
    const name = createHash("sha256").update(of).digest("hex").slice(0, 32);
    const tried: string[] = [];
    for (const root of cacheRoots()) {
      const folder = join(root, "search", name);
      try {
        await Deno.mkdir(root, { recursive: true, mode: 0o700 });
        if (!await isOurs(root)) throw new Error("not a folder of this user alone");
        await Deno.mkdir(folder, { recursive: true });
        const store = new RowStore(folder, of, rowBytes);
        await store.#load();
        return store;
      } catch (error) {
        tried.push(`${folder} (${(error as Error).message})`);
      }
    }
    throw new HatchlingError(
      `Expected a writable cache folder for what is found in pictures but found none: tried ` +
        `${tried.join(", ")}. Set HATCHLING_CACHE to a folder that can be written`,
    );
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

  /** Writes what was taken. */
  async flush(): Promise<void> {
    if (!this.#fresh.length) return;
    const fresh = this.#fresh.splice(0);
    this.#freshBytes = 0;
    const withRow = fresh.filter(({ row }) => row), without = fresh.filter(({ row }) => !row);
    const entries = [...withRow, ...without].map(({ entry }) => entry);
    const head: Head = { of: this.#of, rowBytes: this.#rowBytes, entries };
    const text = new TextEncoder().encode(JSON.stringify(head));
    const json = new Uint8Array(Math.ceil((FIRST + text.length) / 8) * 8 - FIRST).fill(0x20);
    json.set(text); // spaces behind it, so that rows lie where numbers may
    const first = firstLine(json);
    const bytes = new Uint8Array(first.length + json.length + withRow.length * this.#rowBytes);
    bytes.set(first);
    bytes.set(json, first.length);
    withRow.forEach(({ row }, i) => bytes.set(row!, first.length + json.length + i * row!.length));
    const name = `${String(this.#number++).padStart(6, "0")}-${crypto.randomUUID()}.rows`;
    await writeFileAtomic(join(this.folder, name), bytes);
    this.#take(name, head);
  }

  /** Forgets all files but these, and merges segments when much of them is of no use. */
  async keep(ids: ReadonlySet<string>): Promise<void> {
    await this.flush();
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    const rows = [...this.#segments.values()].reduce((sum, n) => sum + n, 0);
    if (
      this.#segments.size > MOST_SEGMENTS + rows * this.#rowBytes / SEGMENT_BYTES ||
      this.#known.size < rows / 2
    ) await this.#merge();
  }

  /** All live rows, segment by segment. */
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

  /** Rows of some files, by id. */
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

  async #load(): Promise<void> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.folder)) {
      if (name.endsWith(".rows")) names.push(name);
    }
    for (const name of names.sort()) {
      const head = await readHead(join(this.folder, name)).catch(() => undefined);
      if (head?.of === this.#of && head.rowBytes === this.#rowBytes) this.#take(name, head);
      else await Deno.remove(join(this.folder, name)).catch(() => {}); // damaged, or of another version
      this.#number = Math.max(this.#number, Number.parseInt(name) + 1 || 0);
    }
  }

  #take(segment: string, { entries }: Head): void {
    entries.forEach(({ id, stamp, reason, meta }, row) => {
      this.#known.set(id, { stamp, reason, meta, segment, row });
    });
    this.#segments.set(segment, entries.filter(({ reason }) => reason === undefined).length);
  }

  async #segment(name: string): Promise<{ head: Head; data: Uint8Array<ArrayBuffer> }> {
    const path = join(this.folder, name);
    try {
      const bytes = await Deno.readFile(path);
      const { head, start } = parseHead(bytes);
      return { head, data: bytes.subarray(start) };
    } catch {
      throw new HatchlingError(
        `Expected ${path} as it was a moment ago but another program has removed or changed it: search again`,
      );
    }
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
    for (const name of before) {
      this.#segments.delete(name);
      await Deno.remove(join(this.folder, name)).catch(() => {});
    }
  }
}

/** What the file is, the length of its JSON, and the hash that shows damage. */
function firstLine(json: Uint8Array): Uint8Array {
  const hash = createHash("sha256").update(json).digest("hex");
  const length = String(json.length).padStart(12, "0");
  return new TextEncoder().encode(`hatchling-rows ${VERSION} ${length} ${hash}\n`);
}

const FIRST = firstLine(new Uint8Array()).length;

async function readHead(path: string): Promise<Head> {
  using file = await Deno.open(path);
  const first = new Uint8Array(FIRST);
  await fill(file, first);
  const length = Number(new TextDecoder().decode(first).split(" ")[2]);
  const { size } = await file.stat();
  if (!(length <= size)) throw new Error("damaged");
  const bytes = new Uint8Array(FIRST + length);
  bytes.set(first);
  await fill(file, bytes.subarray(FIRST));
  const { head } = parseHead(bytes);
  const rows = head.entries.filter(({ reason }) => reason === undefined).length;
  if (size !== bytes.length + rows * head.rowBytes) throw new Error("damaged");
  return head;
}

function parseHead(bytes: Uint8Array<ArrayBuffer>): { head: Head; start: number } {
  const first = new TextDecoder().decode(bytes.subarray(0, FIRST));
  const start = FIRST + Number(first.split(" ")[2]);
  const json = bytes.subarray(FIRST, start);
  if (first !== new TextDecoder().decode(firstLine(json))) throw new Error("damaged");
  return { head: JSON.parse(new TextDecoder().decode(json)), start };
}

async function fill(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const read = await file.read(bytes.subarray(done));
    if (read === null) throw new Error("damaged");
    done += read;
  }
}
