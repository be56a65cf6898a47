/**
 * WGSL without what only people read.
 *
 * Source: WGSL, sections 3.2 and 3.3: comments and blankspace part tokens and mean nothing else; block comments nest.
 *
 * @module
 */

/**
 * Blanks that part nothing: beside brackets, commas, semicolons, colons and operators that no neighbour makes another
 * token of; > before = might end a template, / and - before another sign begin something else.
 */
const BLANKS = / *([{}();,:]) *| (&&|\|\||==|!=|[+*]=?|%) |(?<!>) (=) /g;

/**
 * A kernel's text without comments, blank lines and blanks that part nothing. Lines stay lines, as errors show them.
 *
 * @example
 * ```ts
 * import { strippedWgsl } from "./wgsl.ts";
 *
 * console.assert(strippedWgsl("// A.\nfn f() {\n\n  return; // b\n}\n") === "fn f(){\nreturn;\n}\n");
 * ```
 */
export function strippedWgsl(text: string): string {
  let code = "";
  for (let at = 0; at < text.length;) {
    if (text.startsWith("//", at)) {
      const end = text.indexOf("\n", at);
      at = end < 0 ? text.length : end;
    } else if (text.startsWith("/*", at)) {
      at = endOfBlock(text, at);
      code += " "; // it parts tokens
    } else code += text[at++];
  }
  const lines = code.split("\n").map((line) => line.trim().replace(BLANKS, "$1$2$3")).filter(
    Boolean,
  );
  return lines.map((line) => `${line}\n`).join("");
}

function endOfBlock(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith("/*", at)) depth++;
    else if (text.startsWith("*/", at)) depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return text.length;
}
