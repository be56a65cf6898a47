/**
 * What torch.save writes since 1.6: a zip archive with the object, `NAME/data.pkl`, and every storage by its key,
 * `NAME/data/KEY`, stored as they are.
 *
 * @module
 */
import type { ByteSource } from "../byte_source.ts";
import { brief } from "../safetensors_header.ts";
import { MAX_PICKLE, type Saved } from "./legacy.ts";
import { unpickle } from "./pickle.ts";
import { persistentOf, readStorage, type StoragePlace } from "./storages.ts";
import { StorageRef } from "./values.ts";
import { type Fail, locate, readZip } from "./zip.ts";

/** Reads all but the storages. */
export async function readArchive(source: ByteSource, fail: Fail): Promise<Saved> {
  const members = await readZip(source, fail);
  const roots = [...members.keys()].filter((name) => /^[^/]*\/data\.pkl$/.test(name));
  if (roots.length !== 1) {
    fail("expected one NAME/data.pkl in it, as torch.save writes it: unpack it if it holds others");
  }
  const folder = roots[0].slice(0, -"data.pkl".length);
  if (members.has(`${folder}constants.pkl`)) {
    fail(
      "it is a TorchScript program: load it with torch.jit.load and save its weights alone, " +
        'torch.save(program.state_dict(), "weights.pth")',
    );
  }
  const place = async (name: string): Promise<StoragePlace> => {
    const member = members.get(folder + name);
    if (!member) fail(`it lacks ${brief(folder + name)}`);
    return { begin: await locate(source, member, fail), size: member.size, crc: member.crc };
  };
  const read = async (name: string, most: number) => {
    const found = await place(name);
    if (found.size > most) fail(`expected ${brief(name)} to take at most ${most} bytes`);
    return await readStorage(source, found, 0, found.size, fail);
  };
  if (members.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode(await read("byteorder", 16));
    if (order !== "little") {
      fail(`its byte order is ${brief(order)}: load and save it on a little-endian machine`);
    }
  }
  const storages = new Set<StorageRef>();
  const { value: root } = unpickle(await read("data.pkl", MAX_PICKLE), {
    fail,
    cutOff: () => fail("data.pkl is cut off"),
    persistent: (id) => {
      const storage = persistentOf(id, fail);
      if (storage instanceof StorageRef) storages.add(storage);
      return storage;
    },
  });
  const places = new Map<string, StoragePlace>();
  for (const { key, length, type } of storages) {
    const found = places.get(key) ?? await place(`data/${key}`);
    if (Math.floor(found.size / type.size) !== length) {
      fail(`storage ${brief(key)}: expected ${length} ${type.name} but found ${found.size} bytes`);
    }
    places.set(key, found);
  }
  return { root, places };
}
