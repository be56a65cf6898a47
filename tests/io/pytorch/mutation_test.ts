/** Whatever happens to the bytes of a file, it is read or refused in words. */
import fc from "fast-check";
import { HatchlingError } from "../../../lib/errors.ts";
import { float32Tensor, serializeSafetensors } from "../../../lib/io/safetensors.ts";
import { openWeightsBytes } from "../../../lib/io/weights_source.ts";
import {
  archive,
  bytesOf,
  dict,
  int,
  legacy,
  storage,
  str,
  tensor,
  tuple,
} from "../../support/pytorch_files.ts";

const body = dict(
  ["w", tensor()],
  ["t", tensor({ strides: [1, 2] })],
  ["more", dict(["b", tensor({ of: storage(), shape: [4], strides: [1] })])],
  ["list", `](${int(1)}${str("a")}${tuple("N", "\x88")}e`],
);

const FILES = {
  archive: archive(body, [["a/byteorder", "little"]]),
  legacy: legacy(body),
  safetensors: serializeSafetensors(
    new Map([["w", float32Tensor(new Float32Array(4), [2, 2])], [
      "b",
      float32Tensor(new Float32Array(1), [1]),
    ]]),
    { note: "n" },
  ),
};

/** All values of a file that is taken are there; one that is not is refused by an error of ours. */
async function readOrRefuse(file: Uint8Array<ArrayBuffer>): Promise<void> {
  try {
    using weights = await openWeightsBytes(file, "x");
    for (const [name, { shape }] of weights.entries) {
      const { data } = await weights.read(name);
      if (data.length !== shape.reduce((a, b) => a * b, 1)) throw new Error(`${name} is not whole`);
    }
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
  }
}

/** Bytes that are changed, taken out, put in, or moved. */
const mutations = fc.array(
  fc.record({
    at: fc.nat(4000),
    kind: fc.constantFrom("set", "cut", "insert", "copy"),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
    to: fc.nat(4000),
  }),
  { minLength: 1, maxLength: 4 },
);

for (const [name, file] of Object.entries(FILES)) {
  Deno.test(`a changed ${name} file is read or refused, and nothing else`, async () => {
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        let changed = file.slice();
        for (const { at, kind, bytes, to } of changes) {
          const from = at % (changed.length + 1), other = to % (changed.length + 1);
          if (kind === "set") changed.set(bytes.subarray(0, changed.length - from), from);
          if (kind === "copy") changed.copyWithin(other, from, from + bytes.length);
          if (kind === "cut") {
            changed = bytesOf(changed.subarray(0, from), changed.subarray(from + bytes.length));
          }
          if (kind === "insert") {
            changed = bytesOf(changed.subarray(0, from), bytes, changed.subarray(from));
          }
        }
        await readOrRefuse(changed);
      }),
      { numRuns: 600 },
    );
  });
}

Deno.test("any program of a pickle ends, and is read or refused", async () => {
  const instructions =
    "(.012NJKMGXUTBC]})tasuebcRQqrhj\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8f\x90\x91\x92\x93\x94\x95";
  const piece = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...instructions) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(str("a"), int(2), tensor(), storage(), "h\x00", "q\x00"),
    },
    { weight: 1, arbitrary: fc.nat(255).map((code) => String.fromCharCode(code)) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      await readOrRefuse(archive(pieces.join("")));
      await readOrRefuse(legacy(pieces.join("")));
    }),
    { numRuns: 1000 },
  );
});
