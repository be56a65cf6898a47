/**
 * What torch.save wrote before 1.6, and still does on request: pickles one after the other (a magic number, the
 * protocol, what machine it was, the object, the keys of its storages), then each storage with its length.
 *
 * @module
 */
import { bytesOf, type ByteSource } from "../byte_source.ts";
import { brief } from "../safetensors_header.ts";
import { unpickle, type Unpickled } from "./pickle.ts";
import { persistentOf, type StoragePlace } from "./storages.ts";
import { StorageRef, type Value } from "./values.ts";
import type { Fail } from "./zip.ts";

/** Largest object that is read; one of a thousand tensors takes 200 kB. */
export const MAX_PICKLE = 1 << 26;

/** Bytes that are read at first. */
const WINDOW = 1 << 20;

/** The beginning of a file that was read does not hold all of its pickles. */
class TooShort extends Error {}

/** What stands before the storages. */
interface Pickles {
  root: Value;
  storages: Map<string, StorageRef>;
  keys: Value[];
  end: number;
}

function readPickles(bytes: Uint8Array, fail: Fail): Pickles {
  const storages = new Map<string, StorageRef>();
  let persistent = (_: Value): Value => fail("it refers to storages too early");
  let at = 0;
  const next = (): Value => {
    const read: Unpickled = unpickle(bytes, {
      fail,
      cutOff: () => {
        throw new TooShort();
      },
      persistent: (id) => persistent(id),
    }, at);
    at = read.end;
    return read.value;
  };
  next(); // the magic number
  const protocol = next();
  if (protocol !== 1001) {
    const found = typeof protocol === "number" ? protocol : "what is no number";
    fail(`expected the protocol 1001 but found ${found}`);
  }
  const machine = next();
  if (machine instanceof Map && machine.get("little_endian") === false) {
    fail("it was written on a big-endian machine: load and save it on another one");
  }
  persistent = (id) => {
    const storage = persistentOf(id, fail);
    if (storage instanceof StorageRef) {
      const before = storages.get(storage.key) ?? storage;
      if (before.length !== storage.length || before.type !== storage.type) {
        fail(`storage ${brief(storage.key)} is described in two ways`);
      }
      storages.set(storage.key, storage);
    }
    return storage;
  };
  const root = next();
  persistent = () => fail("it refers to storages too late");
  const keys = next();
  if (!Array.isArray(keys)) fail("the keys of its storages are no list");
  return { root, storages, keys, end: at };
}

/** An object with the places of its storages. */
export interface Saved {
  /** The object. */
  root: Value;
  /** Storages by key. */
  places: Map<string, StoragePlace>;
}

/** Reads all but the storages. */
export async function readLegacy(source: ByteSource, fail: Fail): Promise<Saved> {
  let pickles: Pickles | undefined;
  for (let window = WINDOW; !pickles; window *= 8) {
    const bytes = await bytesOf(source, 0, Math.min(window, source.size, MAX_PICKLE));
    try {
      pickles = readPickles(bytes, fail);
    } catch (error) {
      if (!(error instanceof TooShort)) throw error;
      if (bytes.length === source.size) fail("its object is cut off: fetch or copy it again");
      if (bytes.length === MAX_PICKLE) fail(`its object takes more than ${MAX_PICKLE} bytes`);
    }
  }
  const { root, storages, keys } = pickles;
  const places = new Map<string, StoragePlace>();
  let at = pickles.end;
  for (const key of keys) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (!storage) fail("it lists a storage that no tensor uses");
    if (places.has(storage.key)) fail(`it lists the storage ${brief(storage.key)} twice`);
    const where = `storage ${brief(storage.key)}`;
    if (at + 8 > source.size) fail(`${where} is cut off: fetch or copy the file again`);
    const head = await bytesOf(source, at, at + 8);
    const length = new DataView(head.buffer, head.byteOffset).getBigInt64(0, true);
    if (length !== BigInt(storage.length)) {
      fail(`${where}: expected ${storage.length} elements but found ${length}`);
    }
    const size = storage.length * storage.type.size;
    if (!(size <= source.size - at - 8)) fail(`${where} is cut off: fetch or copy the file again`);
    places.set(storage.key, { begin: at + 8, size });
    at += 8 + size;
  }
  for (const key of storages.keys()) {
    if (!places.has(key)) fail(`it lacks the storage ${brief(key)}`);
  }
  if (at !== source.size) fail(`it holds ${source.size - at} bytes more than its storages`);
  return { root, places };
}
