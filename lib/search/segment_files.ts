/**
 * The files of a store: segments in a folder of the cache, each written once, or in memory where nothing can be written.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { isOurs } from "../data/unpack.ts";
import { HatchlingError } from "../errors.ts";
import { TEMPORARY_SUFFIX, writeFileAtomic } from "../io/atomic.ts";
import { readFile } from "../io/files.ts";
import { decodeSegment, encodeSegment, type Entry, type Head, type Segment } from "./segment.ts";

/** No segment is larger: this is room for many long names. */
const MOST_BYTES = 2 ** 30;

/** Milliseconds after which a file that was never finished belongs to nobody any more. */
const ABANDONED_MS = 3_600_000;

/** What was sound when it was opened is so no more: to be opened again. */
export class StoreChanged extends HatchlingError {}

/** Segments by name. Every byte is checked whenever it is read: what is damaged counts as not there. */
export class SegmentFiles {
  readonly #of: string;
  readonly #rowBytes: number;
  readonly #folder: string | undefined;
  /** Those that could not be written. */
  readonly #inMemory = new Map<string, Uint8Array<ArrayBuffer>>();
  #number = 0;
  #damaged = 0;
  #unwritten?: string;

  private constructor(of: string, rowBytes: number, folder?: string) {
    this.#of = of;
    this.#rowBytes = rowBytes;
    this.#folder = folder;
  }

  /**
   * Opens the folder of something below the first of some candidates that can be read and written; never fails.
   *
   * @param of What the rows are about.
   * @param rowBytes Bytes of a row.
   * @param roots Candidates for the cache folder, best first.
   * @returns The files, and what the sound ones hold, by name, the oldest first.
   */
  static async open(
    of: string,
    rowBytes: number,
    roots: readonly string[],
  ): Promise<{ files: SegmentFiles; heads: ReadonlyMap<string, Head> }> {
    const name = createHash("sha256").update(of).digest("hex").slice(0, 32);
    const tried: string[] = [];
    for (const root of roots) {
      const folder = join(root, "search", name);
      try {
        await Deno.mkdir(root, { recursive: true, mode: 0o700 });
        if (!await isOurs(root)) throw new Error("not a folder of this user alone");
        await Deno.mkdir(folder, { recursive: true });
        const files = new SegmentFiles(of, rowBytes, folder);
        const heads = await files.#load(folder);
        if (!heads.size) await Deno.remove(await Deno.makeTempFile({ dir: folder }));
        return { files, heads };
      } catch (error) {
        tried.push(`${folder} (${(error as Error).message})`);
      }
    }
    const files = new SegmentFiles(of, rowBytes);
    files.#unwritten = tried.join(", ");
    return { files, heads: new Map() };
  }

  /** Whether everything that was added is on the disk. */
  get allWritten(): boolean {
    return this.#unwritten === undefined;
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

  /**
   * Writes a segment; what cannot be written stays in memory.
   *
   * @param entries Those with a row first, in the order of the rows.
   * @returns Its name.
   */
  async add(entries: Entry[], rows: readonly Uint8Array[]): Promise<string> {
    const bytes = encodeSegment({ of: this.#of, rowBytes: this.#rowBytes, entries }, rows);
    const name = `${String(this.#number++).padStart(6, "0")}-${crypto.randomUUID()}.rows`;
    if (!await this.#write(name, bytes)) this.#inMemory.set(name, bytes);
    return name;
  }

  /**
   * A segment that was opened or added.
   *
   * @throws {StoreChanged} When it was sound and is so no more.
   */
  async get(name: string): Promise<Segment> {
    const found = await this.#read(name);
    if (found) return found;
    throw new StoreChanged(
      `Expected ${
        join(this.#folder!, name)
      } as it was a moment ago but another program has removed or ` +
        `changed it: search again`,
    );
  }

  /** Removes a segment; it is of no use to anybody if it stays. */
  async remove(name: string): Promise<void> {
    await Deno.remove(join(this.#folder!, name), { recursive: true }).catch(() => {});
  }

  /** Reads all segments, one after the other: so it is known now which rows have to be made again. */
  async #load(folder: string): Promise<Map<string, Head>> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".rows")) names.push(name);
      else if (name.endsWith(TEMPORARY_SUFFIX)) await removeAbandoned(join(folder, name));
    }
    const heads = new Map<string, Head>();
    for (const name of names.sort()) {
      this.#number = Math.max(this.#number, Number.parseInt(name) + 1 || 0);
      const head = (await this.#read(name))?.head;
      if (head) {
        heads.set(name, head);
        continue;
      }
      // Gone: another search has merged it. Else it is of no use to anybody.
      const there = await Deno.lstat(join(folder, name)).then(() => true, () => false);
      if (!there) continue;
      this.#damaged++;
      await this.remove(name);
    }
    return heads;
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

  async #read(name: string): Promise<Segment | undefined> {
    const bytes = this.#inMemory.get(name)?.slice() ??
      await readFile(join(this.#folder!, name), { maxBytes: MOST_BYTES }).catch(() => undefined);
    return bytes && decodeSegment(bytes, this.#of, this.#rowBytes);
  }
}

async function removeAbandoned(path: string): Promise<void> {
  const { mtime } = await Deno.lstat(path).catch(() => ({ mtime: null }));
  if (mtime && Date.now() - mtime.getTime() > ABANDONED_MS) await Deno.remove(path).catch(() => {});
}
