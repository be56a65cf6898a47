/**
 * Files of other formats that are taken for safetensors, told by their first bytes.
 *
 * @module
 */
import { isLegacy } from "./pytorch/marks.ts";

/** A format: how its files begin, what it is, and how to get at its tensors. */
interface Kind {
  /** Looks at the bytes, each a character. */
  matches(start: string): boolean;
  /** What it is, and what to do. */
  says: string;
}

/** Bytes that are looked at: a zip archive has the name of its first member among them. */
const LOOKED_AT = 512;

const PYTORCH =
  "a PyTorch file (.pth, .pt, .bin): name it where weights are asked for, by its path";

const begins = (...marks: string[]) => (start: string) => marks.some((m) => start.startsWith(m));

/** The first that matches counts. */
const KINDS: readonly Kind[] = [
  {
    matches: (start) => begins("PK\x03\x04")(start) && start.includes(".npy"),
    says: `a NumPy archive (.npz). Convert it with Python:
  import numpy, safetensors.numpy
  safetensors.numpy.save_file(dict(numpy.load("weights.npz")), "weights.safetensors")`,
  },
  // torch.save: its archive holds NAME/data.pkl first.
  { matches: (start) => begins("PK\x03\x04")(start) && start.includes(".pkl"), says: PYTORCH },
  { matches: isLegacy, says: PYTORCH },
  {
    matches: begins("\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"),
    says:
      "a Python pickle that torch.save did not write. If you trust where it comes from, load it in Python and " +
      'write its weights with torch.save(weights, "weights.pth")',
  },
  {
    matches: (start) => start.slice(257, 262) === "ustar",
    says:
      "a tar archive. If it is a PyTorch file of a version before 0.1.10, load it in Python and write its " +
      'weights with torch.save(weights, "weights.pth"); else unpack it, and name the file inside',
  },
  { matches: begins("PK\x03\x04"), says: "a zip archive: unpack it, and name the file inside" },
  {
    matches: (start) => /^(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml)/i.test(start),
    says: "a web page, not the file it speaks of: open it in a browser to see why, and fetch the " +
      "file itself (on Hugging Face the address has /resolve/, not /blob/)",
  },
  {
    matches: begins("version https://git-lfs"),
    says: "a Git LFS pointer, which stands for the file: `git lfs pull` fetches the file itself",
  },
  { matches: begins("\x1f\x8b"), says: "a gzip file: unpack it with gunzip" },
  {
    matches: begins("\x93NUMPY"),
    says: "a NumPy array (.npy), which has no names: write it with safetensors.numpy.save_file",
  },
  {
    matches: begins("\x89HDF\r\n"),
    says: "an HDF5 file (.h5): write its arrays with safetensors.numpy.save_file",
  },
  {
    matches: (start) => /^\s*\{\s*"/.test(start),
    says: "a JSON text: name the .safetensors file itself, not what lists or describes it",
  },
];

/**
 * What a file is if it is of a known other kind, with what to do about it; undefined for what may be a damaged
 * safetensors file.
 *
 * @param bytes the file, or its beginning.
 */
export function foreignKind(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, LOOKED_AT));
  return KINDS.find(({ matches }) => matches(start))?.says;
}
