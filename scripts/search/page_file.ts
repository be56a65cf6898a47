/**
 * The page of a search.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { AtomicFile } from "../../lib/io/atomic_file.ts";
import { PAGE_MAKER } from "../../lib/draw/page.ts";
import { namedWeights } from "../../lib/open_model/weights_path.ts";
import { claimOutputs, defaultFolder, isPage, makeFolder } from "../common/outputs.ts";
import type { Arguments } from "./arguments.ts";

const REMEDY = "choose another folder with --out";

/**
 * The page's file, so that what cannot be written is known before any work. Where nobody asked for it, a folder
 * that cannot be written is no error: the answer does not need it.
 */
export class PageFile {
  /** Why there is no page. */
  readonly remarks: string[] = [];
  readonly #path: string | undefined;
  readonly #asked: boolean;
  #file?: AtomicFile;

  private constructor(path: string | undefined, asked: boolean) {
    this.#path = path;
    this.#asked = asked;
  }

  /**
   * Says where the page goes; with --json and no --out there is none. Nothing is made yet.
   *
   * @throws {HatchlingError} When something is there that is no such page.
   */
  static async claim({ folder: pictures, queries, options }: Arguments): Promise<PageFile> {
    const { out, json, duplicates, weights, config, checkpoint } = options;
    const asked = out !== undefined;
    if (json && !asked) return new PageFile(undefined, asked);
    const isRun = weights !== undefined && (await namedWeights(weights)).isRun;
    const folder = out ?? defaultFolder("search", isRun ? weights : undefined);
    const path = join(folder, duplicates ? "duplicates.html" : "similar.html");
    const inputs = [pictures, ...queries, weights, config, checkpoint];
    claimOutputs([{ path, own: isPage(PAGE_MAKER) }], { inputs, remedy: REMEDY });
    return new PageFile(path, asked);
  }

  /**
   * Begins the file.
   *
   * @throws {HatchlingError} When --out cannot be written.
   */
  open(): void {
    if (this.#path === undefined) return;
    try {
      makeFolder(dirname(this.#path), REMEDY);
      this.#file = AtomicFile.open(this.#path);
    } catch (error) {
      this.#lost(error);
    }
  }

  /** Writes the page, if there is to be one; returns its path. */
  async write(html: () => Promise<string>): Promise<string | undefined> {
    if (!this.#file) return;
    const bytes = new TextEncoder().encode(await html());
    try {
      this.#file.write(bytes);
      this.#file.finish();
      return this.#path;
    } catch (error) {
      this.#lost(error);
    }
  }

  /** Removes what was begun. */
  discard(): void {
    this.#file?.discard();
  }

  #lost(error: unknown): void {
    if (this.#asked || !(error instanceof HatchlingError)) throw error;
    this.remarks.push(error.message);
  }
}
