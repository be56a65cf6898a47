/**
 * Storages in a file: where each lies, and some of its bytes.
 *
 * @module
 */
import type { ByteSource } from "../byte_source.ts";
import { crc32 } from "../digests.ts";
import { brief } from "../safetensors_header.ts";
import { storageType } from "./storage_types.ts";
import { Global, StorageRef, Tuple, type Value } from "./values.ts";
import type { Fail } from "./zip.ts";

/** Where a storage lies. */
export interface StoragePlace {
  /** First byte. */
  begin: number;
  /** Bytes. */
  size: number;
  /** CRC-32 of these, until it was checked. */
  crc?: number;
}

/** Bytes that are read at a time: few enough to be in the cache while their checksum is made. */
const PIECE = 1 << 22;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * What a persistent ID stands for: `("storage", type, key, device, length)`, in old files with `None` or
 * `(key, offset, length)` of a part at its end; or, where a whole module was saved, its class.
 */
export function persistentOf(id: Value, fail: Fail): Value {
  const [kind, type, key, , length, part] = id instanceof Tuple ? id.items : [];
  if (kind === "module" && type instanceof Global) return type;
  const of = type instanceof Global ? storageType(type.name) : undefined;
  if (kind !== "storage" || typeof key !== "string" || !isCount(length)) {
    fail("it refers to what is no storage");
  }
  if (!of) {
    const found = type instanceof Global ? brief(type.name) : "no type";
    fail(`storage ${brief(key)}: its type is not known: ${found}`);
  }
  const [offset, count] = part instanceof Tuple ? part.items.slice(1) : [0, length];
  if (!isCount(offset) || !isCount(count) || offset + count > length) {
    fail(`storage ${brief(key)}: a part of it lies outside of it`);
  }
  return new StorageRef({ type: of, key, length, offset, count });
}

/**
 * Reads bytes of a storage. The first time all of it is gone through, so that its checksum is known; what is not
 * asked for is not kept.
 *
 * @param begin Bytes from its start.
 */
export async function readStorage(
  source: ByteSource,
  place: StoragePlace,
  begin: number,
  end: number,
  fail: Fail,
): Promise<Uint8Array<ArrayBuffer>> {
  const wanted = new Uint8Array(end - begin);
  if (place.crc === undefined) {
    await source.read(wanted, place.begin + begin);
    return wanted;
  }
  const rest = new Uint8Array(wanted.length === place.size ? 0 : Math.min(PIECE, place.size));
  let crc = 0;
  for (let at = 0; at < place.size;) {
    const border = at < begin ? begin : at < end ? end : place.size;
    const length = Math.min(PIECE, border - at);
    const inside = at >= begin && at < end;
    const piece = inside
      ? wanted.subarray(at - begin, at - begin + length)
      : rest.subarray(0, length);
    await source.read(piece, place.begin + at);
    crc = crc32(piece, crc);
    at += length;
  }
  if (crc !== place.crc) fail("its checksum is wrong: it is damaged, fetch or copy it again");
  place.crc = undefined;
  return wanted;
}
