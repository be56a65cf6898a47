/**
 * Finds what `JSON.parse` hides: a key that stands twice in one object.
 *
 * @module
 */

/**
 * The first key that occurs twice in the same object of `json`, or undefined.
 *
 * @param json text that `JSON.parse` accepts; for other text the answer means nothing.
 */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | null)[] = []; // one entry per open bracket, null for an array
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === "{") open.push(new Set());
    else if (c === "[") open.push(null);
    else if (c === "}" || c === "]") open.pop();
    else if (c === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
      let next = i + 1;
      while (" \t\n\r".includes(json[next])) next++;
      if (json[next] !== ":") continue;
      const keys = open.at(-1)!;
      // the same key can be spelled with and without escapes
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
