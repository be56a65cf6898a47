/**
 * What of `node:path` is called in a page.
 *
 * @module
 */

/** The last part of a path. */
export const basename = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** All but the last part. */
export const dirname = (path: string): string => path.slice(0, path.lastIndexOf("/")) || ".";

/** Parts as one path. */
export const join = (...parts: string[]): string => parts.join("/");

/** Both kinds of paths are the same here. */
export const posix = { basename, dirname, join };
export { posix as win32 };
