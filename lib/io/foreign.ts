/**
 * Files of other formats that are taken for safetensors, told by their first bytes.
 *
 * @module
 */

/** A format: how its files begin, what it is, and how to get at its tensors. */
interface Kind {
  /** Looks at the bytes, each a character. */
  matches(start: string): boolean;
  /** What it is, and what to do. */
  says: string;
}

/** Bytes that are looked at: a zip archive has the name of its first member among them. */
const LOOKED_AT = 512;

const PYTORCH = `a PyTorch file (.pth, .pt, .bin). Convert it with Python:
  import torch
  from safetensors.torch import save_file
  w = torch.load("weights.pth", map_location="cpu", weights_only=True)
  w = w.get("teacher", w.get("model", w.get("state_dict", w)))
  save_file({k: v.clone().contiguous() for k, v in w.items()}, "weights.safetensors")
docs/guides/weights.md says more`;

const begins = (...marks: string[]) => (start: string) => marks.some((m) => start.startsWith(m));

/** The first that matches counts. */
const KINDS: readonly Kind[] = [
  {
    matches: (start) => begins("PK\x03\x04")(start) && start.includes(".npy"),
    says: `a NumPy archive (.npz). Convert it with Python:
  import numpy, safetensors.numpy
  safetensors.numpy.save_file(dict(numpy.load("weights.npz")), "weights.safetensors")`,
  },
  // torch.save: its archive holds NAME/data.pkl first, and before 1.6 it was a pickle, of protocol 2.
  { matches: (start) => begins("PK\x03\x04")(start) && start.includes(".pkl"), says: PYTORCH },
  { matches: begins("\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"), says: PYTORCH },
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
