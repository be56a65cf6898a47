/** Files that are taken for safetensors are named for what they are. */
import assert from "node:assert/strict";
import { DamagedFileError } from "../../lib/errors.ts";
import { foreignKind } from "../../lib/io/foreign.ts";
import { float32Tensor, parseSafetensors, serializeSafetensors } from "../../lib/io/safetensors.ts";

/** Text, each character a byte. */
const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** A zip archive's first member, as torch.save and numpy.savez write it. */
const zip = (member: string) =>
  bytes(`PK\x03\x04${"\0".repeat(22)}${String.fromCharCode(member.length)}\0\0\0${member}rest`);

const KINDS: [RegExp, Uint8Array][] = [
  [/a PyTorch file .*by its path/, zip("archive/data.pkl")],
  [/a PyTorch file/, bytes("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M")],
  [
    /a PyTorch file/,
    bytes("\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x04M"),
  ],
  [/a Python pickle that torch\.save did not write/, bytes("\x80\x04\x95\x10\0\0\0\0\0\0\0}")],
  [/a tar archive.* before 0\.1\.10/, bytes("storages" + "\0".repeat(249) + "ustar  \0")],
  [/a NumPy archive[^]*numpy\.load/, zip("arr_0.npy")],
  [/a zip archive: unpack/, zip("readme.txt")],
  [/a web page/, bytes("<!DOCTYPE html>\n<html>")],
  [/a web page/, bytes("\n<HTML lang=en>")],
  [/a web page/, bytes('<?xml version="1.0"?><Error><Code>AccessDenied')],
  [
    /a Git LFS pointer.*git lfs pull/,
    bytes("version https://git-lfs.github.com/spec/v1\noid sha256:"),
  ],
  // Without a name and a time in it, the first eight bytes are a length that may well fit.
  [/a gzip file.*gunzip/, bytes("\x1f\x8b\x08\0\0\0\0\0\0\x03" + "\xff".repeat(600_000))],
  [/a NumPy array/, bytes("\x93NUMPY\x01\0v\0{'descr': '<f4'")],
  [/an HDF5 file/, bytes("\x89HDF\r\n\x1a\n\0\0\0")],
  [/a JSON text/, bytes('{\n  "metadata": {"total_size": 1}')],
];

Deno.test("files of other formats are recognised, with what to do", () => {
  for (const [message, file] of KINDS) {
    assert.throws(() => parseSafetensors(file, "x"), (error: Error) => {
      assert.ok(error instanceof DamagedFileError);
      assert.match(error.message, /^x: expected a safetensors file but found /);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.throws(() => parseSafetensors(new Uint8Array(0)), /it is empty: copy or write it again/);
});

Deno.test("what may be a damaged safetensors file is not taken for another format", () => {
  const tensors = new Map([["a", float32Tensor(new Float32Array(2), [2])]]);
  const good = serializeSafetensors(tensors);
  assert.equal(foreignKind(good), undefined);
  assert.throws(() => parseSafetensors(good.subarray(0, 30)), /not a valid safetensors file/);
  // A header of 640 bytes begins with 0x80 0x02, as pickles do.
  for (let length = 500; length < 640; length++) {
    const file = serializeSafetensors(tensors, { note: "x".repeat(length) });
    assert.equal(parseSafetensors(file).tensors.size, 1);
  }
});
