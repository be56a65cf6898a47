import assert from "node:assert/strict";
import { featureDim, FEATURES } from "../../lib/model.ts";
import { featureParts } from "../../lib/model/feature.ts";

Deno.test("a feature's width is that of its parts", () => {
  assert.deepEqual(FEATURES.map((word) => featureDim(word, 5)), [5, 5, 20, 80, 10]);
  for (const word of FEATURES) {
    const { classTokens, cells } = featureParts(word);
    assert.equal(classTokens, word.startsWith("class") ? 1 : 0);
    assert.equal(featureDim(word, 1), classTokens + cells ** 2);
  }
});

Deno.test("an unknown feature is refused with the list", () => {
  for (const word of ["cls", "", "toString", null]) {
    assert.throws(
      () => featureDim(word as never, 5),
      /Expected a feature \(class, mean, quad, grid, class\+mean\) but found /,
    );
  }
});
