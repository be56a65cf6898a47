/**
 * Where pictures and pages go.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Picture } from "../../lib/data/image.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";
import { pngOf } from "../figures/sheet.ts";

/** A folder for the files of one command. */
export class Output {
  readonly folder: string;
  readonly #taken = new Set<string>();

  /** Nothing is made yet. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Writes a file below the folder, whose own folders are made; returns its path. */
  async write(name: string, bytes: Uint8Array): Promise<string> {
    const path = join(this.folder, name);
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
    } catch (error) {
      throw fileError("make the folder of", path, error);
    }
    await writeFileAtomic(path, bytes);
    return path;
  }

  /** Writes a PNG, of the first three channels. */
  async png(name: string, { width, height, data }: Picture): Promise<string> {
    const first = data.subarray(0, 4 * width * height);
    return await this.write(`${name}.png`, pngOf({ width, height, data: first }));
  }

  /** Writes a text. */
  async text(name: string, text: string): Promise<string> {
    return await this.write(name, new TextEncoder().encode(text));
  }

  /**
   * A folder's name for a picture, inside of this folder whatever its id is, and of no other picture: of a file
   * that was named by a path outside of the working directory the last part.
   */
  nameOf(id: string): string {
    const outside = /^(\/|[A-Za-z]:|\.\.)/.test(id);
    const parts = id.split(/[/\\]/).filter((part) => !/^\.*$/.test(part));
    const kept = outside ? parts.slice(-1) : parts;
    // deno-lint-ignore no-control-regex
    const clean = kept.map((part) => part.replace(/[\x00-\x1f<>:"|?*\x7f]/g, "_").slice(0, 120));
    const name = clean.join("/") || "picture";
    let free = name;
    for (let n = 2; this.#taken.has(free.toLowerCase()); n++) free = `${name}-${n}`;
    this.#taken.add(free.toLowerCase());
    return free;
  }
}
