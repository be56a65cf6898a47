/**
 * Links from a report to the pictures that it names.
 *
 * @module
 */
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { statFile } from "../io/files.ts";
import { escape } from "../draw/html.ts";
import type { RunData } from "../run/data.ts";

/** What a browser shows as a picture, and never runs. */
const PICTURE = /\.(png|jpe?g|gif|webp)$/i;

/** Names that are looked for. */
const MOST = 500;

/**
 * Where named pictures are, as links from the folder of the report: relative, so that they hold when pictures and
 * run move together, and tell nothing of the machine. Only files that are there now, and are pictures by their name.
 */
export async function linksOf(
  { folder, config, parts }: RunData,
  names: Iterable<string>,
): Promise<Map<string, string>> {
  const cwd = parts.at(-1)?.folder ?? ".";
  const data = config?.data.path;
  const places = [...data ? [resolve(cwd, data), dirname(resolve(cwd, data))] : [], resolve(cwd)];
  const links = new Map<string, string>();
  for (const name of [...new Set(names)].slice(0, MOST)) {
    if (!PICTURE.test(name) || name.includes("\0")) continue;
    for (const place of places) {
      const path = resolve(place, name);
      if (!await statFile(path).then(() => true, () => false)) continue;
      const way = relative(resolve(folder), path);
      if (!isAbsolute(way)) links.set(name, way.split(sep).map(encodeURIComponent).join("/"));
      break;
    }
  }
  return links;
}

/** A name as HTML: a link where there is one. */
export function linked(name: string, links: ReadonlyMap<string, string>): string {
  const link = links.get(name);
  return link === undefined ? escape(name) : `<a href="${escape(link)}">${escape(name)}</a>`;
}
