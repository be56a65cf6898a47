/**
 * Reading and writing files with messages that say what to do.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

/** What went wrong, in words; the operating system's own text where nothing better is known. */
function reason(error: unknown, path: string): string {
  const { code, message } = error as Error & { code?: string };
  if (error instanceof Deno.errors.NotFound) return "it does not exist: check the path";
  if (error instanceof Deno.errors.NotCapable) return `${message}`;
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied: check who owns it and its mode";
  }
  if (code === "ENOSPC" || code === "EDQUOT") {
    return `no space left on the disk of ${path}: free some, or choose another folder`;
  }
  if (code === "EROFS") return "the file system is read-only: choose another folder";
  if (error instanceof Deno.errors.IsADirectory || code === "EISDIR") {
    return "expected a file but found a folder";
  }
  return message;
}

/**
 * An error about a path: "Cannot read x: it does not exist: check the path".
 *
 * @param doing what was tried, e.g. "read".
 */
export function fileError(doing: string, path: string, error: unknown): HatchlingError {
  if (error instanceof HatchlingError) return error;
  return new HatchlingError(`Cannot ${doing} ${shown(path)}: ${reason(error, shown(path))}`, {
    cause: error,
  });
}

/** How much a reader takes. */
export interface ReadLimits {
  /** Bytes at most; a larger file is an error. No limit by default. */
  maxBytes?: number;
}

/**
 * What is known of a regular file before it is opened: opening a FIFO would wait without end, and a device may
 * have no end.
 *
 * @throws {HatchlingError} When it is missing, no regular file, or larger than allowed.
 */
export async function statFile(
  path: string,
  { maxBytes = Infinity }: ReadLimits = {},
): Promise<Deno.FileInfo> {
  const info = await Deno.stat(path).catch((error) => {
    throw fileError("read", path, error);
  });
  const fail = (found: string) => {
    throw new HatchlingError(`Cannot read ${shown(path)}: ${found}`);
  };
  if (info.isDirectory) fail("expected a file but found a folder");
  if (!info.isFile) fail("expected a regular file but found a device, pipe or socket");
  if (info.size > maxBytes) {
    fail(`expected at most ${maxBytes} bytes but found ${info.size}: is it the right file?`);
  }
  return info;
}

/**
 * Reads a whole regular file.
 *
 * @throws {HatchlingError} When it is missing, no regular file, not readable or larger than allowed.
 */
export async function readFile(
  path: string,
  limits: ReadLimits = {},
): Promise<Uint8Array<ArrayBuffer>> {
  await statFile(path, limits);
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw fileError("read", path, error);
  }
}
