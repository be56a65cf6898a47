/**
 * What commands write: never over what they read, nor over a file that somebody or something else made.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { basename, dirname, join, relative } from "node:path";
import { pageMark } from "../../lib/draw/html.ts";
import { inspect } from "../../lib/data/inspect.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { TEMPORARY_SUFFIX } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";

/** A file that a command is about to write. */
export interface OutputFile {
  path: string;
  /** Whether the file that lies there is one of the same command, by what is in it: such a one is replaced. */
  own: (path: string) => boolean;
}

/** What else a command says of its outputs. */
export interface Claim {
  /** What it reads: files, folders; what is undefined, null or missing is passed over. */
  inputs: readonly (string | null | undefined)[];
  /** Replace files of others too, but for inputs. */
  overwrite?: boolean;
  /** What the user can do instead, "choose another --out" for instance. */
  remedy: string;
}

/** Folder of results that belong to no run: git and the formatter pass it over. */
export const OUT = "out";

/** Where a command's results go by default: below the run's folder, else below {@linkcode OUT}. */
export function defaultFolder(command: string, run?: string): string {
  return join(run ?? OUT, command);
}

/**
 * Checks all that a command is going to write, before it does any work. A file may be replaced only if it is no
 * input, under whatever name, and the same command made it; with `overwrite` also if another one made it.
 *
 * @throws {HatchlingError} Naming the file, and what to do.
 */
export function claimOutputs(files: readonly OutputFile[], claim: Claim): void {
  const inputs = claim.inputs.flatMap((path) => {
    const place = path ? placeOf(path) : undefined;
    return place?.info ? [place] : [];
  });
  const taken: Place[] = [];
  for (const { path, own } of files) {
    const place = placeOf(path), name = shown(path), { remedy } = claim;
    const fail = (what: string): never => {
      throw new HatchlingError(`Cannot write ${name}: ${what}`);
    };
    const { info } = place;
    if (info?.isDirectory) fail(`expected a file but found a folder: ${remedy}`);
    if (info && !info.isFile) fail(`expected a file but found a device, pipe or socket: ${remedy}`);
    const input = inputs.find((other) => same(place, other));
    if (input) {
      const as = input.path === path ? "" : ` as ${shown(input.path)}`;
      fail(`this command reads that file${as}: ${remedy}`);
    }
    const twin = taken.find((other) => same(place, other));
    if (twin) fail(`it is the same file as ${shown(twin.path)}, which is written too: ${remedy}`);
    taken.push(place);
    if (!isThere(path) || info && own(path)) continue;
    if (!claim.overwrite) {
      const what = info ? "a file that this command did not make is" : "a link to nowhere is";
      const flag = claim.overwrite === undefined ? "" : ", or add --overwrite to replace it";
      fail(`${what} there: ${remedy}${flag}`);
    }
    const folder = inputs.find((other) => other.info!.isDirectory && isBelow(place, other));
    if (folder) fail(`it is one of the files in ${shown(folder.path)}, an input: ${remedy}`);
    if (info && inspect(path).header) fail(`it is a picture: ${remedy}`);
  }
}

/**
 * Refuses a folder for pictures among the pictures that a command reads: they would be found there next time.
 *
 * @param inputs Folders of pictures; anything else is passed over.
 */
export function refuseAmong(folder: string, { inputs, remedy }: Claim): void {
  const place = placeOf(folder);
  for (const path of inputs) {
    const input = path ? placeOf(path) : undefined;
    if (!input?.info?.isDirectory || !isBelow(place, input)) continue;
    throw new HatchlingError(
      `Cannot write pictures to ${shown(folder)}: it lies in ${shown(path!)}, where pictures are ` +
        `read from: ${remedy}`,
    );
  }
}

/**
 * Makes sure that a folder for results is there, or can be made, and that files can be made in it. Nothing is left
 * behind, so that a mistake that is found later leaves no empty folder.
 *
 * @throws {HatchlingError} When that cannot be.
 */
export function probeFolder(folder: string, remedy: string): void {
  let there = folder;
  while (!isThere(there) && dirname(there) !== there) there = dirname(there);
  attempt(folder, remedy, () => {
    Deno.removeSync(Deno.makeTempFileSync({ dir: there, suffix: TEMPORARY_SUFFIX }));
  });
}

/**
 * Makes a folder for results, with those above it, and makes sure that files can be made there.
 *
 * @throws {HatchlingError} When that cannot be.
 */
export function makeFolder(folder: string, remedy: string): void {
  attempt(folder, remedy, () => Deno.mkdirSync(folder, { recursive: true }));
  probeFolder(folder, remedy);
}

function attempt(folder: string, remedy: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const { message } = fileError("make files in", folder, error);
    throw new HatchlingError(`${message}; ${remedy}`, { cause: error });
  }
}

/** Whether a file is such a page. */
export function isPage(maker: string): (path: string) => boolean {
  return (path) => headOf(path, 4096).includes(pageMark(maker));
}

/** The first bytes of a regular file as text, each a character of the same code; "" if it cannot be read. */
export function headOf(path: string, bytes: number): string {
  return piece(path, bytes, false);
}

/** The last ones. */
export function tailOf(path: string, bytes: number): string {
  return piece(path, bytes, true);
}

function piece(path: string, most: number, end: boolean): string {
  try {
    using file = Deno.openSync(path);
    const { size } = file.statSync(), length = Math.min(most, size);
    file.seekSync(end ? size - length : 0, Deno.SeekMode.Start);
    const bytes = new Uint8Array(length);
    let done = 0;
    for (let n; done < length && (n = file.readSync(bytes.subarray(done))); done += n);
    return Buffer.from(bytes.subarray(0, done)).toString("latin1");
  } catch {
    return "";
  }
}

/** Where a path leads. */
interface Place {
  path: string;
  /** Without links and dots; of what is not there yet, its folder is. */
  real: string;
  /** Missing where nothing is. */
  info?: Deno.FileInfo;
}

function placeOf(path: string): Place {
  const info = tried(() => Deno.statSync(path));
  if (info) return { path, info, real: tried(() => Deno.realPathSync(path)) ?? path };
  const folder = dirname(path);
  const above = folder === path ? path : placeOf(folder).real;
  return { path, real: join(above, basename(path)) };
}

/** One file: by its real path, or by its number on its device, which hard links share. */
function same(a: Place, b: Place): boolean {
  if (a.real === b.real) return true;
  const [one, other] = [a.info, b.info];
  return !!one?.isFile && !!one.ino && one.ino === other?.ino && one.dev === other.dev;
}

function isBelow({ real }: Place, folder: Place): boolean {
  const way = relative(folder.real, real);
  return !/^\.\.([/\\]|$)/.test(way) && way !== real;
}

/** Also of a link that leads nowhere. */
function isThere(path: string): boolean {
  return !!tried(() => Deno.lstatSync(path));
}

function tried<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return;
  }
}
