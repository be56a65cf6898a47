/** What `deno compile` tells of the files in a program. */

/**
 * Reads its tree: paths, and folders that are in it as a whole.
 *
 * @returns Whether a path is embedded.
 */
export function embeddedIn(said: string): (path: string) => boolean {
  const files = new Set<string>(), folders: string[] = [], above: string[] = [];
  for (const line of said.split("\n")) {
    const [, prefix, name] = line.match(/^((?:│ | {2})*[├└]─[─┬] )(\S+)/) ?? [];
    if (!name) continue;
    const depth = prefix.length / 2 - 2;
    above.length = depth;
    const path = [...above, name].join("/");
    above.push(name);
    if (path.endsWith("/*")) folders.push(path.slice(0, -1));
    else files.add(path);
  }
  return (path) => files.has(path) || folders.some((folder) => `${path}/`.startsWith(folder));
}
