/**
 * The pictures of a run.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import type { Dataset, SkippedFile } from "../../lib/data/dataset.ts";
import { datasetFingerprint } from "../../lib/data/fingerprint.ts";
import { sortLeftOut } from "../../lib/data/left_out.ts";
import { openDataset } from "../../lib/data/open.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { many } from "../../lib/words.ts";
import type { Progress } from "../common/progress.ts";
import { datasetOptionsOf } from "../../lib/from_config.ts";
import { openTest } from "../../lib/from_config/evaluation.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";

/** Skipped files that are named one by one; skipped.jsonl holds all. */
const NAMED = 10;

/** Where files that were left out are listed. */
const LIST = "skipped.jsonl";

/** A line of skipped.jsonl. */
export interface SkippedRow extends SkippedFile {
  /** Whether that was found only when the picture was decoded: it is one of the data set's pictures then. */
  late?: true;
}

/** How many files were left out, by all starts of the run. */
export interface LeftOut {
  /** All of them. */
  skipped: number;
  /** Those among the data set's pictures: that they are damaged was found only when they were decoded. */
  damaged: number;
}

/** The data set of a run, and the list of the files that are left out. */
export class Pictures {
  /** The pictures. */
  readonly dataset: Dataset;
  /** Tells whether they are those of before. */
  readonly fingerprint: string;
  readonly #progress: Progress;
  /** All that is left out so far; those first that were so when the data set was opened. */
  readonly #skipped: SkippedFile[];
  readonly #early: number;
  /** Files that another rank was the first to tell of. */
  readonly #others = new Set<string>();
  #known = 0; // of the data set's own
  #told = 0;
  #files?: SideFiles;
  #test?: Promise<Dataset | undefined>;
  #named = 0;
  #seen = 0;
  #listed = 0;
  /** Found when decoded by an earlier start, and by this one not yet. */
  #earlier: SkippedRow[] = [];

  private constructor(dataset: Dataset, fingerprint: string, progress: Progress) {
    this.dataset = dataset;
    this.fingerprint = fingerprint;
    this.#progress = progress;
    this.#skipped = [...dataset.skipped];
    this.#early = this.#known = this.#told = this.#skipped.length;
  }

  /** Opens the data set that a configuration names, and says what it holds. Writes nothing yet. */
  static async open(config: Config, progress: Progress): Promise<Pictures> {
    const dataset = await openDataset({
      ...datasetOptionsOf(config),
      onProgress: (done, total, doing) =>
        progress.show(total ? `${doing}: ${done} of ${total}` : `${doing}: ${done}`),
    });
    const fingerprint = await datasetFingerprint(dataset);
    progress.end();
    const { length, name, skipped } = dataset;
    progress.say(
      `data: ${many(length, "picture")} from ${shown(name)}` +
        (skipped.length ? `; ${many(skipped.length, "file")} skipped` : ""),
    );
    for (const note of sortLeftOut(skipped).notes) progress.say(`note: ${note}`);
    const pictures = new Pictures(dataset, fingerprint, progress);
    pictures.#name();
    return pictures;
  }

  /** The pictures that an evaluation is about where they are others, opened once. A run isn't lost for them. */
  testOf(config: Config): Promise<Dataset | undefined> {
    return this.#test ??= openTest(config).catch((error) => {
      if (!(error instanceof HatchlingError)) throw error;
      this.#progress.say(
        `warning: ${error.message}; every picture is judged by all others instead`,
      );
      return undefined;
    });
  }

  /** Closes the data sets. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.dataset.close?.();
    const test = await this.#test?.catch(() => undefined);
    test?.close?.();
  }

  /**
   * Lists the files left out in skipped.jsonl of the run, `{"file": …, "reason": …}` per line, from now on.
   *
   * @param before What an earlier start of the run has listed.
   */
  async keep(files: SideFiles, before: readonly SkippedRow[]): Promise<void> {
    this.#files = files;
    this.#earlier = before.filter(({ late }) => late);
    this.#listed = 0;
    const rows = this.#fresh();
    for (const row of rows) this.#takesEarlier(row);
    await files.put(LIST, textOf([...rows, ...this.#earlier]));
  }

  /** Names and lists the files that turned out to be damaged since the last call. */
  nameSkipped(): void {
    const skipped = this.#all();
    if (this.#seen < skipped.length) this.#name();
    const rows = this.#files ? this.#fresh().filter((row) => !this.#takesEarlier(row)) : [];
    if (rows.length) this.#files!.add(LIST, textOf(rows));
  }

  /** Of a rank that follows: the files that turned out to be damaged since the last call. */
  takeDamaged(): SkippedFile[] {
    const from = this.#told, { skipped } = this.dataset;
    this.#told = skipped.length;
    return skipped.slice(from);
  }

  /** Takes note of files that another rank has found damaged, unless they are known. */
  add(files: readonly SkippedFile[]): void {
    for (const { file, reason } of files) {
      if (this.#skipped.some((known) => known.file === file)) continue;
      this.#skipped.push({ file, reason });
      this.#others.add(file);
    }
  }

  /** How many are left out so far. */
  get leftOut(): LeftOut {
    const { length } = this.#all(), earlier = this.#earlier.length;
    return { skipped: length + earlier, damaged: length - this.#early + earlier };
  }

  /** The same in words; "" where all pictures are in use. */
  get leftOutText(): string {
    const { skipped, damaged } = this.leftOut;
    if (!skipped) return "";
    const late = damaged ? `, ${damaged} of them damaged pictures of the data set` : "";
    const list = this.#files && `; listed in ${shown(this.#files.folder)}/${LIST}`;
    return `left out: ${skipped} ${skipped === 1 ? "file" : "files"} in all${late}${list ?? ""}`;
  }

  #all(): readonly SkippedFile[] {
    const { skipped } = this.dataset;
    // A file may stand in a list more than once; what another rank has told of it counts for one.
    const fresh = skipped.slice(this.#known).filter(({ file }) => !this.#others.delete(file));
    this.#skipped.push(...fresh);
    this.#known = skipped.length;
    return this.#skipped;
  }

  /** The lines of files that were not asked for yet. */
  #fresh(): SkippedRow[] {
    const skipped = this.#all(), from = this.#listed;
    this.#listed = skipped.length;
    return skipped.slice(from).map(({ file, reason }, i) =>
      from + i < this.#early ? { file, reason } : { file, reason, late: true }
    );
  }

  /** Whether an earlier start has listed the file; its line then stands for this one. */
  #takesEarlier({ file, late }: SkippedRow): boolean {
    const at = late ? this.#earlier.findIndex((row) => row.file === file) : -1;
    if (at >= 0) this.#earlier.splice(at, 1);
    return at >= 0;
  }

  /** What is sound and left out was told when the data set was opened. */
  #name(): void {
    const skipped = this.#all(), { damaged } = sortLeftOut(skipped);
    const fresh = damaged.slice(this.#named, Math.max(this.#named, NAMED));
    for (const { file, reason } of fresh) {
      this.#progress.say(`skipped: ${shown(file)}: ${shown(reason)}`);
    }
    if (this.#named <= NAMED && damaged.length > NAMED) {
      const more = `skipped: ${damaged.length - NAMED} more`;
      this.#progress.say(this.#files ? `${more}; all are listed in ${LIST}` : more);
    }
    [this.#named, this.#seen] = [damaged.length, skipped.length];
  }
}

function textOf(rows: readonly SkippedRow[]): string {
  return rows.map((row) => JSON.stringify(row) + "\n").join("");
}
