/**
 * What files, folders and errors of Node are in Deno's words.
 *
 * @module
 */

/** Errors by the codes of the system. */
const CODES: Readonly<Record<string, string>> = {
  EACCES: "PermissionDenied",
  EEXIST: "AlreadyExists",
  EISDIR: "IsADirectory",
  ENOENT: "NotFound",
  ENOTDIR: "NotADirectory",
  EPERM: "PermissionDenied",
};

class Failed extends Error {
  constructor(message: string, readonly code?: string) {
    super(message);
  }
}

/** Classes of errors; Node has no permissions that could be lacking. */
export const errors: Record<string, typeof Failed> = /* @__PURE__ */ (() =>
  Object.fromEntries(
    [...Object.values(CODES), "NotCapable", "WouldBlock", "Interrupted"]
      .map((name) => [name, class extends Failed {}]),
  ))();

/** Does something, and throws its errors as Deno would. */
export function named<T>(work: () => T): T {
  try {
    const result = work();
    return result instanceof Promise ? result.catch(rethrow) as T : result;
  } catch (error) {
    return rethrow(error);
  }
}

function rethrow(error: unknown): never {
  const { code = "", message } = error as Error & { code?: string };
  throw code in CODES ? new errors[CODES[code]](message, code) : error;
}

/** How a file is opened. */
export interface Opening {
  read?: boolean;
  write?: boolean;
  append?: boolean;
  create?: boolean;
  createNew?: boolean;
  truncate?: boolean;
  mode?: number;
}

/** Node's flags. */
export function flagsOf(
  { read, write, append, create, createNew, truncate }: Opening = {},
): number {
  const { constants } = process.getBuiltinModule("node:fs");
  const changes = write || append || createNew || truncate;
  let flags = !changes ? constants.O_RDONLY : read ? constants.O_RDWR : constants.O_WRONLY;
  if (append) flags |= constants.O_APPEND;
  if (create || createNew) flags |= constants.O_CREAT;
  if (createNew) flags |= constants.O_EXCL;
  if (truncate) flags |= constants.O_TRUNC;
  return flags;
}

/** What is known of a file. */
export function infoOf(stats: import("node:fs").Stats): Record<string, unknown> {
  const { atime, birthtime, ctime, dev, gid, ino, mode, mtime, nlink, size, uid } = stats;
  return {
    ...{ atime, birthtime, ctime, dev, gid, ino, mode, mtime, nlink, size, uid },
    isDirectory: stats.isDirectory(),
    isFifo: stats.isFIFO(),
    isFile: stats.isFile(),
    isSocket: stats.isSocket(),
    isSymlink: stats.isSymbolicLink(),
  };
}
