/**
 * Where pictures and pages go.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Picture } from "../../lib/data/image.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";
import { pngOf } from "../../lib/draw/canvas.ts";
import { type Claim, claimOutputs, isPage, probeFolder, refuseAmong } from "../common/outputs.ts";
import { PAGE_MAKER } from "../../lib/draw/page.ts";
import { isOwnPng, markedPng } from "./png_mark.ts";

/** Said where something cannot be written. */
const REMEDY = "choose another folder with --out";

/** A folder for the files of one command. */
export class Output {
  readonly folder: string;
  readonly #claim: Claim;
  readonly #taken = new Set<string>();

  /**
   * Nothing is made yet.
   *
   * @param inputs What the command reads: it is never replaced.
   */
  constructor(folder: string, inputs: Claim["inputs"] = []) {
    this.folder = folder;
    this.#claim = { inputs, remedy: REMEDY };
  }

  /**
   * Checks where the results go, before any work.
   *
   * @param main Names of the files that will be written whatever the pictures are.
   * @param among Folders of pictures, none of which may hold this one.
   * @throws {HatchlingError} When something of others is there, or nothing can be written.
   */
  prepare(main: readonly string[], among: Claim["inputs"]): void {
    for (const name of main) this.#taken.add(name); // no picture's folder may have their names
    refuseAmong(this.folder, { inputs: among, remedy: REMEDY });
    this.#claimFiles(main);
    probeFolder(this.folder, REMEDY);
  }

  /** Writes a file below the folder, whose own folders are made; returns its path. */
  async write(name: string, bytes: Uint8Array): Promise<string> {
    const [path] = this.#claimFiles([name]);
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
    return await this.write(`${name}.png`, markedPng(pngOf({ width, height, data: first })));
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

  #claimFiles(names: readonly string[]): string[] {
    const files = names.map((name) => {
      const own = name.endsWith(".png") ? isOwnPng : isPage(PAGE_MAKER);
      return { path: join(this.folder, name), own };
    });
    claimOutputs(files, this.#claim);
    return files.map(({ path }) => path);
  }
}
