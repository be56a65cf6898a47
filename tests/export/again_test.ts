/** What is exported is read again, with no configuration: every family, under every layout's names. */
import assert from "node:assert/strict";
import { exportModel } from "../../lib/export/files.ts";
import { vitShape } from "../../lib/export/shape.ts";
import { loadModel } from "../../lib/open_model/load.ts";
import { folderTest } from "../support/permissions.ts";
import { FAMILIES, loaded } from "./support.ts";

/** Weights with the class token's place added to it: timm stores no more of the two where there are registers. */
function placed(weights: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  const token = weights.get("cls_token")!, places = weights.get("pos_embed")!;
  return new Map([
    ...weights,
    ["cls_token", token.map((x, i) => x + places[i])],
    ["pos_embed", places.subarray(token.length)],
  ]);
}

for (const [family, text] of Object.entries(FAMILIES)) {
  folderTest(`${family} is read again under every layout's names`, async (folder) => {
    const toy = loaded(text), shape = vitShape(toy.model.backbone);
    const everywhere = shape.classToken && !shape.fcNorm;
    for (const names of everywhere ? ["timm", "hf", "fb"] as const : ["timm"] as const) {
      const options = { to: "safetensors", names, dtype: "f32", part: "backbone" } as const;
      await Deno.mkdir(`${folder}/${names}`);
      for (const [name, bytes] of exportModel(toy, options).files) {
        await Deno.writeFile(`${folder}/${names}/${name}`, bytes);
      }
      // Hugging Face's config.json tells the heads; else they are asked for.
      const path = names === "hf" ? `${folder}/hf` : `${folder}/${names}/model.safetensors`;
      const overrides = names === "hf" ? [] : [{ key: "model.heads", value: String(shape.heads) }];
      const again = await loadModel({ path, overrides });
      const sums = names === "timm" && shape.registers > 0 && shape.posEmbed === "learned";
      const [found, wanted] = [again, toy].map(({ weights }) => sums ? placed(weights) : weights);
      for (const { name } of toy.model.backbone.specs()) {
        assert.deepEqual(found.get(name), wanted.get(name), `${name} of ${names}`);
      }
      assert.equal(vitShape(again.model.backbone).heads, shape.heads);
    }
  });
}
