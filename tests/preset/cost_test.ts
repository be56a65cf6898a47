/** What a picture costs by shapes, beside what its step is recorded to cost. */
import assert from "node:assert/strict";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { evaluationShare, pictureFlops } from "../../lib/preset/cost.ts";
import { planStep } from "../../lib/plan/step.ts";
import { gpuTest } from "../support/gpu.ts";

const config = (args = "") => parseConfig("{}", parseOverrides(args.split(" ").filter(Boolean)));

const SMALL =
  "--model.backbone custom --model.dim 64 --model.depth 3 --model.heads 2 --model.patch_size 8 " +
  "--augmentation.global_crop_size 32 --augmentation.local_crop_size 16 " +
  "--model.projection_hidden_dim 256 --model.projection_bottleneck_dim 64 --model.projection_output_dim 1024";

const SHAPES = [
  SMALL,
  "--model.backbone custom --model.dim 192 --model.depth 6 --model.heads 6 --model.patch_size 8 " +
  "--augmentation.global_crop_size 64 --augmentation.local_crop_size 32 " +
  "--model.projection_hidden_dim 512 --model.projection_bottleneck_dim 128 --model.projection_output_dim 2048",
  "", // DINO's own
  `${SMALL} --loss.contrastive_weight 1 --loss.contrastive_feature quad`,
  `${SMALL} --loss.contrastive_weight 1 --loss.contrastive_feature mean --loss.contrastive_teacher true`,
  `${SMALL} --loss.objective infonce --model.feature quad`,
  `${SMALL} --model.freeze_blocks 2`,
  `${SMALL} --model.freeze_blocks 3`,
];

for (const shape of SHAPES) {
  gpuTest(`pictureFlops() is near what is recorded for ${shape || "ViT-S"}`, async (gpu) => {
    const of = config(`${shape} --data.batch_size 2`);
    const { flops } = await planStep(gpu, of, { largestPixels: 1024 });
    const share = 2 * pictureFlops(of) / flops;
    assert.ok(share > 0.9 && share < 1.1, `${share} of what is recorded`);
  });
}

Deno.test("evaluationShare() counts what is looked at, beside an epoch of training", () => {
  const all = evaluationShare(config(), 1000);
  assert.ok(all > 0.2 && all < 0.5, `${all} epochs`);
  const [half, whole] = [
    config("--evaluation.max_images 500"),
    config("--evaluation.max_images 5000"),
  ];
  assert.equal(evaluationShare(half, 1000), all / 2);
  assert.equal(evaluationShare(whole, 1000), all);
  assert.equal(evaluationShare(config("--evaluation.view_retrieval false"), 1000), all / 2);
});
