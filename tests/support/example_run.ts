/** A run that was never trained, and pictures, for examples to use. */
import { parseConfig, stringifyConfig } from "../../lib/config.ts";
import { modelOf } from "../../lib/from_config.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io.ts";
import { initialize } from "../../lib/model.ts";
import jpeg from "../data/fixtures/progressive.jpg" with { type: "bytes" };
import webp from "../data/fixtures/pictures/webp_lossless_alpha.webp" with { type: "bytes" };
import { png } from "../data/support.ts";

/** Configuration of the run. */
const CONFIG = parseConfig(`
data: { max_pixels: 900 }
augmentation: { global_crop_size: 32, local_crop_size: 16 }
model: { backbone: custom, patch_size: 8, dim: 24, depth: 2, heads: 3, init_std: 0.3 }
evaluation: { feature: grid }`);

/** Its pictures by name. */
export const PICTURES: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  "waves.png": png({
    width: 40,
    height: 36,
    sample: (x, y, c) => Math.round(127.5 * (1 + Math.sin((x + c * y) / 5))),
  }) as Uint8Array<ArrayBuffer>,
  "photo.jpg": jpeg,
  "clear.webp": webp,
};

/** Writes the run into `folder/run`, and the pictures beside it. */
export async function writeExample(folder: string): Promise<void> {
  const specs = modelOf(CONFIG).specs(), values = initialize(specs, 5);
  const tensors = specs.map(({ name, shape }) =>
    [name, float32Tensor(values.get(name)!, shape)] as const
  );
  await Deno.mkdir(`${folder}/run`);
  await Deno.writeFile(
    `${folder}/run/teacher.safetensors`,
    serializeSafetensors(new Map(tensors), { format: "pt" }),
  );
  await Deno.writeTextFile(`${folder}/run/config.yaml`, stringifyConfig(CONFIG));
  for (const [name, bytes] of Object.entries(PICTURES)) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}
