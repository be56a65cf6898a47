/**
 * The packages behind the configuration, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

import type { CST, Document, DocumentOptions, LineCounter, ParseOptions } from "npm:yaml@2.9.1";
import { Composer, Lexer, Parser } from "npm:yaml@2.9.1";

// By name: of these a bundle keeps what is used.
export {
  array,
  boolean,
  config as configureZod,
  enum as oneOf,
  gt,
  int,
  literal,
  lt,
  maximum,
  maxLength,
  minimum,
  minLength,
  nullable,
  number,
  string,
  tuple,
  union,
  type ZodMiniType,
} from "npm:zod@4.6.7/mini";
export {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  visit,
} from "npm:yaml@2.9.1";

/** Syntax errors after which the rest of a text is not looked at. */
const ENOUGH = 50;

/** What {@linkcode parseDocument} makes of a text. */
export interface Composed {
  /** The first document. */
  doc: Document.Parsed;
  /** Offset of what is nested deeper than allowed, where something is: the document is cut off there. */
  tooDeep?: number;
  /** Offset of a second document, where there is one. */
  second?: number;
}

/**
 * `parseDocument()` of npm yaml, with two differences. Its time, memory and stack are bounded: it ends at the first
 * value that is nested too deep and after many errors. And it needs no permission for the environment: the parser
 * looks there for `LOG_TOKENS` and `LOG_STREAM`, where a plain `deno run` would have to ask, so it gets an empty one
 * for the length of this synchronous call.
 *
 * @param deepest Collections and pairs that may be open at once.
 */
export function parseDocument(
  text: string,
  options: ParseOptions & DocumentOptions & { lineCounter: LineCounter },
  deepest: number,
): Composed {
  const process = (globalThis as { process?: { env: unknown } }).process; // none in a browser
  const env = process?.env;
  const { stackTraceLimit } = Error;
  if (process) process.env = {};
  Error.stackTraceLimit = 0; // nobody reads those of syntax errors
  try {
    return compose(text, options, deepest);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (process) process.env = env;
  }
}

function compose(
  text: string,
  options: ParseOptions & DocumentOptions & { lineCounter: LineCounter },
  deepest: number,
): Composed {
  const parser = new Parser(options.lineCounter.addNewLine);
  let tooDeep: number | undefined;
  function* tokens(): Generator<CST.Token, void> {
    let errors = 0;
    options.lineCounter.addNewLine(0);
    for (const lexeme of new Lexer().lex(text)) {
      for (const token of parser.next(lexeme)) {
        yield token;
        if (token.type === "error") errors++;
      }
      if (parser.stack.length > deepest) {
        tooDeep = parser.offset;
        break;
      }
      if (errors > ENOUGH) return;
    }
    yield* parser.end();
  }
  let found: Composed | undefined;
  for (const doc of new Composer(options).compose(tokens(), true, text.length)) {
    if (found) return { ...found, second: doc.range[0] };
    found = { doc: doc as Document.Parsed };
  }
  return { ...found!, ...tooDeep !== undefined && { tooDeep } };
}
