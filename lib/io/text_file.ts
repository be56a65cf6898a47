/**
 * Text of files that somebody wrote with an editor or a spreadsheet.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { hex, shown } from "../text.ts";

/** Byte order marks in hexadecimal digits; UTF-32 begins like UTF-16 and comes first. */
const MARKS: [mark: string, encoding: string][] = [
  ["fffe0000", "UTF-32"],
  ["0000feff", "UTF-32"],
  ["efbbbf", "UTF-8"],
  ["fffe", "UTF-16LE"],
  ["feff", "UTF-16BE"],
];

/** Bytes at the start of a file that tell its encoding. */
const LOOKED_AT = 4096;

/**
 * The text of a file in UTF-8, or in UTF-16 with a byte order mark, which is dropped. Other encodings cannot be
 * told for sure, and a guess would spoil names: they are an error that says which one is likely.
 *
 * @param bytes Contents of the file.
 * @param file Its path, for messages.
 * @throws {HatchlingError} naming file, line, byte and the command that converts it.
 *
 * @example
 * ```ts
 * import { decodeText } from "./text_file.ts";
 *
 * console.assert(decodeText(Uint8Array.of(0xff, 0xfe, 0x61, 0), "list.csv") === "a"); // UTF-16 with its mark
 * ```
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  const start = hex(bytes.subarray(0, 4));
  const [mark, encoding] = MARKS.find(([mark]) => start.startsWith(mark)) ?? ["", "UTF-8"];
  const fail = (found: string, from: string): never => {
    throw new HatchlingError(
      `Expected text in UTF-8 in ${shown(file)} but found ${found}: save it as UTF-8, ` +
        `\`iconv -f ${from} -t UTF-8 FILE > NEW\` does it`,
    );
  };
  if (encoding === "UTF-32") return fail("UTF-32, by its byte order mark", "UTF-32");
  if (!mark) {
    const wide = likelyUtf16(bytes);
    if (wide) return fail(`what is likely ${wide} without a byte order mark`, wide);
  }
  // The decoder drops the mark.
  const text = tryDecode(bytes, encoding);
  if (text !== undefined) return text;
  const at = firstWrong(bytes, encoding);
  const place = `at byte ${at}, line ${lineOf(bytes, at, encoding)}`;
  if (encoding !== "UTF-8") {
    return fail(`bytes that are no ${encoding}, which its mark announces, ${place}`, encoding);
  }
  const byte = `0x${hex(bytes.subarray(at, at + 1))}`;
  if (mark) {
    return fail(
      `the byte ${byte} that is no UTF-8, which its mark announces, ${place}`,
      "WINDOWS-1252",
    );
  }
  if (bytes.subarray(0, LOOKED_AT).includes(0)) {
    throw new HatchlingError(
      `Expected text in UTF-8 in ${
        shown(file)
      } but found ${byte} and zeros, ${place}: it is no text, ` +
        `check that it is the right file`,
    );
  }
  return fail(`the byte ${byte} ${place}: likely Latin-1 or Windows-1252`, "WINDOWS-1252");
}

function tryDecode(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Latin letters in UTF-16 have a zero in every second byte, which text in UTF-8 never has. */
function likelyUtf16(bytes: Uint8Array): string | undefined {
  const length = Math.min(bytes.length, LOOKED_AT) & ~1;
  if (length < 4) return;
  const zeros = [0, 0];
  for (let i = 0; i < length; i++) if (bytes[i] === 0) zeros[i & 1]++;
  const many = length / 2 * 0.4;
  if (zeros[1] > many && zeros[0] === 0) return "UTF-16LE";
  if (zeros[0] > many && zeros[1] === 0) return "UTF-16BE";
}

/** Offset of the first byte that cannot be decoded: the end of the longest part that can, by bisection. */
function firstWrong(bytes: Uint8Array, encoding: string): number {
  const fits = (end: number) => {
    try {
      // `stream` leaves a character that is cut in two for later.
      new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let good = 0, bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (fits(middle)) good = middle;
    else bad = middle;
  }
  // A character may have begun before the byte that shows the damage.
  while (good > 0 && tryDecode(bytes.subarray(0, good), encoding) === undefined) good--;
  return good;
}

/** Number of the line that holds a byte, from 1. */
function lineOf(bytes: Uint8Array, at: number, encoding: string): number {
  const before = new TextDecoder(encoding).decode(bytes.subarray(0, at));
  return before.split(/\r\n?|\n/).length;
}
