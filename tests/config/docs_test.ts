import assert from "node:assert/strict";
import { allSections } from "../../lib/config/describe.ts";
import { configurationGuide } from "../../scripts/config_docs.ts";
import guide from "../../docs/configuration.md" with { type: "text" };

Deno.test("docs/configuration.md is current: if not, run `deno task docs:config`", () => {
  // The formatter wraps the file's lines, so words are compared.
  assert.equal(guide.replace(/\s+/g, " "), configurationGuide().replace(/\s+/g, " "));
});

Deno.test("every key and section has a description and a default that its type accepts", () => {
  for (const section of allSections()) {
    assert.match(section.description, /\.$/);
    for (const key of section.keys) {
      assert.match(key.description, /\.$/, key.path);
      assert.deepEqual(key.schema.parse(key.default), key.default, key.path);
      assert(key.default !== undefined, key.path);
    }
  }
});
