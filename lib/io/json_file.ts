/**
 * Files of JSON that others wrote.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import { shown } from "../text.ts";
import { readFile } from "./files.ts";
import { duplicateKey, isDeeper } from "./json_keys.ts";
import { brief } from "./safetensors_header.ts";
import { decodeText } from "./text_file.ts";

/** The index of a thousand tensors takes 100 kB. */
const MAX_BYTES = 1 << 25;

/**
 * Reads a file of JSON.
 *
 * @param depth Brackets within one another at most.
 * @throws {DamagedFileError} When it is no JSON, names a key twice in one object, or is nested too deeply.
 * @throws {HatchlingError} When it cannot be read, or is larger than such files are.
 */
export async function readJson(path: string, depth: number): Promise<unknown> {
  const text = decodeText(await readFile(path, { maxBytes: MAX_BYTES }), path);
  const fail = (found: string): never => {
    throw new DamagedFileError(`${shown(path)}: expected JSON but found ${found}`);
  };
  if (isDeeper(text, depth)) return fail(`more than ${depth} brackets within one another`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail(`${brief(text)} (${shown((error as Error).message)})`);
  }
  const twice = duplicateKey(text);
  return twice === undefined ? json : fail(`the key ${brief(twice)} twice`);
}
