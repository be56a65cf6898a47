/**
 * Files and folders that were dropped or chosen.
 *
 * @module
 */
import type { GivenFile } from "../protocol.ts";

/** Most files that are taken of a folder. */
const MOST = 20_000;

/** Files of an input; those of a folder with their paths. */
export function chosen(input: HTMLInputElement): GivenFile[] {
  const files = [...input.files ?? []].map((file) => {
    return { name: file.webkitRelativePath || file.name, file };
  });
  input.value = ""; // the same file may be chosen again
  return files;
}

/** Files of a drop, folders with all below them. */
export async function dropped({ items }: DataTransfer): Promise<GivenFile[]> {
  const entries = [...items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const files: GivenFile[] = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry: FileSystemEntry, files: GivenFile[]): Promise<void> {
  if (files.length >= MOST) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject)
    );
    files.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A hundred at a time, until there are none.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject)
    );
    if (!some.length) return;
    for (const one of some.sort((a, b) => a.name < b.name ? -1 : 1)) await walk(one, files);
  }
}

/** What files are: of a run's folder the weights count, not its pictures; `others`: how many are neither. */
export function sortFiles(files: readonly GivenFile[]): {
  weights: GivenFile[];
  pictures: GivenFile[];
  others: number;
} {
  const visible = files.filter(({ name }) => !/(^|\/)\./.test(name));
  const weights = visible.filter(({ name }) => /\.(safetensors|pth|pt|bin)$/i.test(name));
  const yaml = visible.filter(({ name }) => /\.ya?ml$/i.test(name));
  if (weights.length) return { weights: [...weights, ...yaml], pictures: [], others: 0 };
  const isPicture = ({ name, file }: GivenFile) =>
    file.type.startsWith("image/") || /\.(png|jpe?g|gif|webp)$/i.test(name);
  const pictures = visible.filter(isPicture);
  return { weights: [], pictures, others: files.length - pictures.length };
}
