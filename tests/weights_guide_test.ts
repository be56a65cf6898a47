/** What docs/guides/weights.md says: names, configuration, and the lines that convert a file. */
import assert from "node:assert/strict";
import small from "../configs/dino-small.yaml" with { type: "text" };
import guide from "../docs/guides/weights.md" with { type: "text" };
import { parseConfig } from "../lib/config.ts";
import { parseSafetensors } from "../lib/io/safetensors.ts";
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

Deno.test("the error about a .pth shows the guide's lines", () => {
  const pickle = Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e, 0, 0, 0, 0);
  assert.throws(() => parseSafetensors(pickle), ({ message }: Error) => {
    const lines = message.split("\n").slice(1, -1).map((line) => line.trim());
    assert.ok(lines.length > 3);
    assert.equal(lines.join("\n"), blocks("python")[0].trim());
    return true;
  });
});
