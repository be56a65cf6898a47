/** Tables of names are read in both directions. */
import assert from "node:assert/strict";
import { FB_DINOV2, FB_DINOV3 } from "../../lib/io/names/facebook.ts";
import {
  HF_DINOV2,
  HF_DINOV3,
  HF_DINOV3_NO_KEY,
  HF_DINOV3_PLAIN,
  HF_VIT,
} from "../../lib/io/names/hugging_face.ts";
import { ourName, theirNames } from "../../lib/io/names/pairs.ts";
import { TIMM_EVA, TIMM_VIT } from "../../lib/io/names/timm.ts";

const TABLES = {
  FB_DINOV2,
  FB_DINOV3,
  HF_DINOV2,
  HF_DINOV3,
  HF_DINOV3_NO_KEY,
  HF_DINOV3_PLAIN,
  HF_VIT,
  TIMM_EVA,
  TIMM_VIT,
};

for (const [name, table] of Object.entries(TABLES)) {
  Deno.test(`names of ${name} lead back to ours`, () => {
    for (const [ours] of table) {
      const whole = ours.replace("#", "11") + (ours.endsWith(".") ? "weight" : "");
      const theirs = theirNames(table, whole);
      for (const [index, their] of theirs.entries()) {
        if (!their) continue;
        assert.deepEqual(ourName(table, their), { name: whole, index, parts: theirs.length });
      }
    }
  });
}

Deno.test("what no row names is called the same, and is nobody else's", () => {
  assert.deepEqual(theirNames(HF_VIT, "head.mlp.0.weight"), ["head.mlp.0.weight"]);
  assert.equal(ourName(HF_VIT, "pooler.dense.weight"), undefined);
  assert.equal(ourName(HF_VIT, "xnorm.weight"), undefined);
});
