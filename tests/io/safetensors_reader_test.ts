import assert from "node:assert/strict";
import { DamagedFileError, HatchlingError } from "../../lib/errors.ts";
import {
  float32Tensor,
  parseSafetensors,
  type RawTensor,
  serializeSafetensors,
} from "../../lib/io/safetensors.ts";
import { openSafetensors } from "../../lib/io/open_safetensors.ts";
import { readerOf } from "../../lib/io/safetensors_reader.ts";
import { shown } from "../../lib/text.ts";
import { folderTest } from "../support/permissions.ts";

const TENSORS = new Map<string, RawTensor>([
  ["wide", { dtype: "F64", shape: [2], data: Float64Array.of(Math.PI, -1) }],
  ["a", float32Tensor(Float32Array.from({ length: 6 }, (_, i) => i / 7), [2, 3])],
  ["none", float32Tensor(new Float32Array(0), [0, 3])],
  ["half", { dtype: "F16", shape: [1], data: Uint16Array.of(0x3c00) }],
  ["odd", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
]);

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<number[]> {
  const all: number[] = [];
  for await (const piece of pieces) all.push(...piece);
  return all;
}

folderTest("a reader gives what parseSafetensors() gives, tensor by tensor", async (folder) => {
  const bytes = serializeSafetensors(TENSORS, { note: "n" });
  await Deno.writeFile(`${folder}/a`, bytes);
  const { tensors } = parseSafetensors(bytes);
  using ofFile = await openSafetensors(`${folder}/a`);
  using ofBytes = await readerOf(bytes, "a");
  for (const reader of [ofFile, ofBytes]) {
    assert.deepEqual({ ...reader.metadata }, { note: "n" });
    assert.deepEqual([...reader.entries.keys()], [...tensors.keys()]);
    for (const name of ["odd", ...tensors.keys()]) { // in any order
      const tensor = await reader.read(name);
      assert.deepEqual(tensor, tensors.get(name), name);
      const { buffer, byteOffset, byteLength } = tensor.data;
      const whole = [...new Uint8Array(buffer, byteOffset, byteLength)];
      assert.deepEqual(await collect(reader.pieces(name)), whole);
    }
    await assert.rejects(reader.read("x"), /Expected a tensor x in .*a: none there/);
  }
  assert.equal((await ofBytes.read("wide")).data.buffer, bytes.buffer, "a view");
});

folderTest("large tensors are read in pieces", async (folder) => {
  const data = Float32Array.from({ length: 5_000_000 }, (_, i) => i);
  await Deno.writeFile(
    `${folder}/a`,
    serializeSafetensors(new Map([["a", float32Tensor(data, [data.length])]])),
  );
  using reader = await openSafetensors(`${folder}/a`);
  assert.deepEqual((await reader.read("a")).data, data);
  const lengths: number[] = [];
  for await (const piece of reader.pieces("a")) lengths.push(piece.length);
  assert.deepEqual(lengths, [1 << 24, 20_000_000 - (1 << 24)]);
});

folderTest("a file that is cut off while it is read is damaged", async (folder) => {
  const path = `${folder}/a`;
  await Deno.writeFile(path, serializeSafetensors(TENSORS));
  using reader = await openSafetensors(path);
  await Deno.truncate(path, reader.head.length + 4);
  await assert.rejects(reader.read("a"), (error: Error) => {
    assert.ok(error instanceof DamagedFileError);
    assert.match(error.message, /it has become shorter while it was read/);
    return true;
  });
});

folderTest("openSafetensors() refuses what is no whole regular file at once", async (folder) => {
  const bytes = serializeSafetensors(TENSORS);
  for (const end of [0, 4, 8, 20, bytes.length - 1]) {
    await Deno.writeFile(`${folder}/cut`, bytes.subarray(0, end));
    await assert.rejects(openSafetensors(`${folder}/cut`), DamagedFileError, `${end} bytes`);
  }
  // A header of 2^40 bytes, and one that would fit into this file of 3 GiB, which takes no room on the disk.
  const long = new Uint8Array(16);
  for (
    const [at, message] of [[5, /only \d+ follow/], [4, /only \d+ follow/], [3, /at most/]] as const
  ) {
    long.fill(0)[at] = 1;
    if (at === 3) long[3] = 0x10;
    await Deno.writeFile(`${folder}/long`, long);
    await Deno.truncate(`${folder}/long`, 3 * 2 ** 30);
    await assert.rejects(openSafetensors(`${folder}/long`), message);
  }
  await assert.rejects(openSafetensors(folder), /found a folder/);
  await assert.rejects(openSafetensors(`${folder}/none`), /does not exist/);
  if (Deno.build.os === "windows") return;
  await assert.rejects(openSafetensors("/dev/zero"), /found a device, pipe or socket/);
  const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
  assert.ok(success);
  await assert.rejects(openSafetensors(`${folder}/fifo`), /found a device, pipe or socket/);
}, ["run"]);

Deno.test("names in messages cannot command the terminal, nor fill it", async () => {
  const name = `\u202e\x1b[2J${"x".repeat(1000)}`;
  const bytes = serializeSafetensors(new Map([[name, float32Tensor(new Float32Array(1), [1])]]));
  const faults: Promise<unknown>[] = [
    readerOf(bytes.subarray(0, bytes.length - 1), "a\nb"),
    readerOf(bytes, "a\nb").then((reader) => reader.read("none\n\x1b")),
  ];
  for (const fault of faults) {
    await assert.rejects(fault, (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.equal(error.message, shown(error.message));
      assert.ok(error.message.length < 400);
      return true;
    });
  }
});
