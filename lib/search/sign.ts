/**
 * Signatures of the pictures of a folder, made once.
 *
 * @module
 */
import { Decoder } from "../data/decoder.ts";
import type { Listing, PictureFile } from "../data/files.ts";
import { count, many } from "../words.ts";
import type { ProgressLine } from "../progress.ts";
import type { Signed } from "./sign_worker.ts";
import { SIGNATURE_BYTES, SIGNATURE_VERSION } from "./signature.ts";
import { RowStore } from "./store.ts";

/** A picture by its pixels. */
export interface SignedPicture {
  /** Its path within the folder. */
  id: string;
  /** Columns and rows of the file, upright. */
  width: number;
  height: number;
  /** Bytes of the file. */
  bytes: number;
  /** SHA-256 of the file. */
  sha256: string;
  signature: Uint8Array;
}

/** What {@linkcode signFolder} finds. */
export interface SignedFolder {
  /** In the order of their ids. */
  pictures: SignedPicture[];
  /** Pictures that were decoded now. */
  decoded: number;
  /** What is damaged, and why. */
  damaged: { file: string; reason: string }[];
  /** What the user should know of the cache. */
  remarks: string[];
}

/**
 * Signatures of all sound pictures of a folder; only new and changed files are read.
 *
 * @param listing Files with a sound header.
 */
export async function signFolder(
  folder: string,
  { files }: Listing,
  progress: ProgressLine,
): Promise<SignedFolder> {
  const of = `signatures ${SIGNATURE_VERSION} of ${await Deno.realPath(folder)}`;
  const store = await RowStore.open(of, SIGNATURE_BYTES);
  const unknown = files.filter(({ id, state }) => !store.get(id, state));
  using decoder = new Decoder({
    workers: navigator.hardwareConcurrency,
    workerUrl: new URL("./sign_worker.ts", import.meta.url),
  });
  let done = 0;
  const sign = async ({ id, path, state: { size, mtime, ctime } }: PictureFile) => {
    const { picture, reason } = await decoder.decode(path);
    const stamp = { size, mtime, ctime };
    if (!picture) return await store.add(id, stamp, { reason: reason! });
    const { data, width, height, sha256 } = picture as Signed;
    await store.add(id, stamp, { row: data, meta: { width, height, sha256 } });
  };
  const next = unknown.values();
  const queue = async () => { // some wait for a worker, so that none of them waits
    for (const file of next) {
      await sign(file);
      progress.show(`reading pictures: ${count(++done)} of ${many(unknown.length, "new picture")}`);
    }
  };
  await Promise.all(Array.from({ length: 4 * navigator.hardwareConcurrency }, queue));
  progress.end();
  await store.keep(new Set(files.map(({ id }) => id)));

  const byId = new Map(files.map((file) => [file.id, file]));
  const pictures: SignedPicture[] = [];
  for await (const { ids, data } of store.read()) {
    ids.forEach((id, row) => {
      const { width, height, sha256 } = store.meta(id)!;
      pictures.push({
        id,
        width: Number(width),
        height: Number(height),
        bytes: byId.get(id)!.state.size,
        sha256: String(sha256),
        signature: data.subarray(row * SIGNATURE_BYTES, (row + 1) * SIGNATURE_BYTES),
      });
    });
  }
  pictures.sort((a, b) => a.id < b.id ? -1 : 1);
  const damaged = files.flatMap(({ id, path }) => {
    const reason = store.reason(id);
    return reason === undefined ? [] : [{ file: path, reason }];
  });
  return { pictures, decoded: unknown.length, damaged, remarks: store.remarks };
}
