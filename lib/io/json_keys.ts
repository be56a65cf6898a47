/**
 * Finds what `JSON.parse` hides, a key that stands twice in one object, and what it had better not see, brackets
 * without end.
 *
 * @module
 */

/**
 * Whether brackets are nested deeper than that anywhere. `JSON.parse` takes minutes for many millions of them.
 *
 * @param json any text.
 */
export function isDeeper(json: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === 0x22) { // a string
      while (++i < json.length && json.charCodeAt(i) !== 0x22) if (json[i] === "\\") i++;
    } else if (c === 0x5b || c === 0x7b) {
      if (++depth > limit) return true;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return false;
}

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
      const plain = json.slice(start + 1, i);
      const key = plain.includes("\\") ? JSON.parse(`"${plain}"`) as string : plain;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
