import assert from "node:assert/strict";
import { DamagedFileError } from "../../lib/errors.ts";
import { fitWhitening, whiteningScale } from "../../lib/eval/whiten.ts";
import { decodeWhitening, encodeWhitening } from "../../lib/eval/whitening_file.ts";
import { parseSafetensors, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { normals } from "../support/numbers.ts";

const whitening = fitWhitening({ data: normals(60, 1), shape: [20, 3] }, { alpha: 0.3 });
const of = { feature: "grid", model: "ab12" };
const bytes = encodeWhitening(whitening, of);

Deno.test("a whitening comes back from its file bit by bit", () => {
  assert.deepEqual(decodeWhitening(bytes, "w"), { whitening, of });
});

Deno.test("a whitening's file holds the factors for other programs, and what it is of", () => {
  const { tensors, metadata } = parseSafetensors(bytes);
  assert.deepEqual(tensors.get("scale"), {
    dtype: "F32",
    shape: [3],
    data: whiteningScale(whitening),
  });
  assert.deepEqual(tensors.get("components")!.shape, [3, 3]);
  const { mean_variance: _, ...rest } = metadata;
  assert.deepEqual(rest, {
    format: "hatchling.whitening.1",
    feature: "grid",
    model: "ab12",
    alpha: "0.3",
    pictures: "20",
  });
});

Deno.test("decodeWhitening() refuses what is no whitening, or a damaged one", () => {
  const changed = (change: (file: ReturnType<typeof parseSafetensors>) => void) => {
    const file = parseSafetensors(bytes.slice());
    change(file);
    return () =>
      decodeWhitening(serializeSafetensors(file.tensors, file.metadata), "w.safetensors");
  };
  const refused: [() => unknown, RegExp][] = [
    [changed(({ metadata }) => delete metadata.format), /w.safetensors: expected metadata format/],
    [changed(({ metadata }) => metadata.alpha = "-1"), /alpha ≥ 0 of a whitening but found "-1"/],
    [changed(({ metadata }) => metadata.pictures = "many"), /pictures ≥ 2/],
    [changed(({ metadata }) => delete metadata.mean_variance), /mean_variance ≥ 0/],
    [
      changed(({ tensors }) => tensors.delete("mean")),
      /a tensor mean of a whitening but found none/,
    ],
    [changed(({ tensors }) => tensors.delete("components")), /components \[k ≥ 1, D ≥ 1\]/],
    [changed(({ tensors }) => tensors.set("mean", tensors.get("components")!)), /mean \[3\]/],
    [changed(({ tensors }) => tensors.get("components")!.data[4] = NaN), /finite components/],
    [changed(({ tensors }) => tensors.get("variance")!.data[2] = -1), /variance ≥ 0/],
    [() => decodeWhitening(bytes.subarray(0, 80), "w"), /w/],
  ];
  for (const [read, message] of refused) {
    assert.throws(
      read,
      (error) => error instanceof DamagedFileError && message.test(error.message),
    );
  }
});
