/** What docs/guides/weights.md says: names, files and configuration. */
import assert from "node:assert/strict";
import small from "../configs/dino-small.yaml" with { type: "text" };
import guide from "../docs/guides/weights.md" with { type: "text" };
import { parseConfig } from "../lib/config.ts";
import { IN_FOLDERS } from "../lib/io/weights_file.ts";
import { modelOf } from "../lib/from_config.ts";
import { transformerOf } from "../lib/model.ts";

const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) =>
    code
  );

Deno.test("the guide's names are those of the model that its configuration makes", () => {
  const model = modelOf(parseConfig(blocks("yaml")[0]));
  const { dim, depth, heads, patchSize, imageSize } =
    transformerOf(model.backbone, "its shape").config;
  assert.deepEqual([dim, depth, heads, patchSize, imageSize], [384, 12, 6, 16, 224]);
  const [backbone, inBlocks, head] = blocks("text")[0].trim().split("\n");
  /** `a.{b,c}` written out, braces within one another too. */
  const spread = (name: string): string[] => {
    const found = /^(.*?)\{([^{}]*)\}(.*)$/.exec(name);
    if (!found) return [name];
    const [, before, words, after] = found;
    return words.split(",").flatMap((word) => spread(before + word + after));
  };
  const written = [
    ...backbone.split(/\s+/).flatMap(spread),
    ...Array.from({ length: depth }, (_, i) => spread(inBlocks.replace("N", String(i)))).flat(),
  ];
  assert.deepEqual(written.sort(), model.backbone.specs().map(({ name }) => name).sort());
  const heading = model.head!.specs().map(({ name }) => name);
  const ends = head.split(/\s+/).filter((word) => word !== "…").flatMap(spread);
  assert.ok(ends.every((name) => heading.includes(name)));
});

Deno.test("the guide's numbers of dino-small.yaml are current", () => {
  const { dim, depth, heads, patchSize, imageSize } =
    transformerOf(modelOf(parseConfig(small)).backbone, "its shape").config;
  assert.ok(
    guide.includes(
      `img_size=${imageSize}, patch_size=${patchSize}, embed_dim=${dim}, depth=${depth}, num_heads=${heads}`,
    ),
  );
});

Deno.test("the guide's files of weights are those that are looked for in a folder", () => {
  for (const name of IN_FOLDERS) {
    assert.ok(guide.includes(name.replace(/.*(bin\.index)/, "…$1")), name);
  }
});
