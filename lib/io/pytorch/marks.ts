/**
 * How PyTorch's files begin.
 *
 * @module
 */

/** The magic number as a pickle has it, its first two bytes (and a frame) aside. */
const MAGIC = "\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";

/** Whether a file begins as torch.save wrote it before 1.6. */
export function isLegacy(start: string): boolean {
  const protocol = start.charCodeAt(1);
  return start[0] === "\x80" && protocol >= 2 && protocol <= 5 &&
    [2, 11].includes(start.indexOf(MAGIC));
}

/** Whether a file is a zip archive, as torch.save writes it, and none of NumPy. */
export function isArchive(start: string): boolean {
  return start.startsWith("PK\x03\x04") && !start.includes(".npy");
}
