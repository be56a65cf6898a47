import assert from "node:assert/strict";
import { configDefaults } from "../../lib/config.ts";
import { checkSameConfig } from "../../scripts/train/same_run.ts";

Deno.test("checkSameConfig() takes keys that are newer than the run at their defaults", () => {
  const then = JSON.parse(JSON.stringify(configDefaults()));
  delete then.training.recompute;
  delete then.device;
  checkSameConfig(configDefaults(), then);
  const now = configDefaults();
  assert.throws(
    () => checkSameConfig({ ...now, training: { ...now.training, recompute: true } }, then),
    /training\.recompute: true instead of false/,
  );
});

Deno.test("checkSameConfig() names keys that are gone, and values that became sections", () => {
  const then = JSON.parse(JSON.stringify(configDefaults()));
  then.loss.gone = 3;
  then.augmentation.global_2 = null;
  assert.throws(() => checkSameConfig(configDefaults(), then), (error: Error) => {
    assert.match(error.message, /loss\.gone: nothing instead of 3/);
    assert.match(error.message, /augmentation\.global_2\.\w+: .* instead of nothing/);
    return true;
  });
});
