/** The exact reference against what PIL and torchvision made: no byte differs. */
import assert from "node:assert/strict";
import checkerSpec from "../golden/golden_public/aug_checker_pipeline.json" with { type: "json" };
import checker from "../golden/golden_public/aug_checker_pipeline.safetensors" with {
  type: "bytes",
};
import noiseSpec from "../golden/golden_public/aug_noise_resize.json" with { type: "json" };
import noise from "../golden/golden_public/aug_noise_resize.safetensors" with { type: "bytes" };
import wavesSpec from "../golden/golden_public/aug_waves.json" with { type: "json" };
import waves from "../golden/golden_public/aug_waves.safetensors" with { type: "bytes" };
import type { AugmentOp } from "../../lib/augmentation.ts";
import { parseSafetensors } from "../../lib/io/safetensors.ts";
import { exact, exactNormalize } from "../../lib/prove/levels.ts";

for (
  const [spec, bytes] of [[checkerSpec, checker], [noiseSpec, noise], [wavesSpec, waves]] as const
) {
  Deno.test(`exact() makes PIL's bytes of ${spec.name}`, () => {
    const { tensors } = parseSafetensors(bytes);
    const { shape: [height, width], data } = tensors.get("in.image")!;
    const image = { height, width, channels: 3, data: data as Uint8Array };
    const items = Object.entries(spec.config.items as Record<string, AugmentOp[]>);
    assert.ok(items.length >= 4);
    for (const [id, ops] of items) {
      const found = exact(image, ops);
      const out = tensors.get(`out.${id}`)!;
      const levels = out.dtype === "U8" ? out : tensors.get(`out.${id}.u8`);
      if (levels) {
        assert.deepEqual([found.height, found.width, 3], levels.shape, id);
        assert.deepEqual(found.data, levels.data, id);
      }
      if (out.dtype === "F32") assert.deepEqual(exactNormalize(found), out.data, id);
    }
  });
}
