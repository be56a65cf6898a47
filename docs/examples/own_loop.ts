/**
 * Trains on a folder of your own pictures, saves the result, opens it and encodes the pictures with it:
 *
 *     deno run -A own_loop.ts FOLDER
 *
 * Elsewhere, write the URL of mod.ts for "../../mod.ts". Every size is said once, in the configuration
 * (docs/configuration.md); what is not said has its default.
 */
import {
  datasetOptionsOf,
  ensureAdapter,
  Feed,
  feedOptionsOf,
  initialize,
  loaderOf,
  modelOf,
  openDataset,
  openGpu,
  openModel,
  parseConfig,
  recordStep,
  saveWeights,
  scheduleOf,
  Trainer,
  trainerOptionsOf,
} from "../../mod.ts";

const config = parseConfig(`
data: { path: ${JSON.stringify(Deno.args[0])}, batch_size: 8 }
augmentation: { global_crop_size: 32, local_crop_size: 16, num_local_views: 2 }
model: { backbone: custom, patch_size: 8, dim: 64, depth: 2, heads: 2, init_std: 0.06, projection_output_dim: 256 }
loss: { teacher_temp: 0.03, warmup_teacher_temp: 0.03, center_momentum: 0.98 } # slow, as batches are small
optimizer: { lr: 1e-3, lr_scale_by_batch: false }
training: { num_epochs: 20, teacher_momentum: 0.98, freeze_last_layer: 0 }`);
await ensureAdapter();
using gpu = await openGpu();
const dataset = await openDataset(datasetOptionsOf(config));
using loader = loaderOf(dataset, config);
const model = modelOf(config), schedule = scheduleOf(config, loader.stepsPerEpoch);
const feed = new Feed(gpu, loader, feedOptionsOf(config)); // pictures → views on the GPU
const trainer = new Trainer(gpu, model, trainerOptionsOf(config, gpu)); // student, loss, AdamW, teacher by EMA
trainer.load(initialize(model.specs(), config.training.seed));
const recorded = await recordStep(gpu, trainer, feed);
for (let step = 0; step < config.training.num_epochs * loader.stepsPerEpoch; step++) {
  const { metrics } = await recorded.run(schedule(step)); // here is room for what you want to know or to change
  console.log(step, (await metrics.read())[0]);
}
await saveWeights("teacher.safetensors", trainer.evaluated);
const { whole } = await (await openModel("teacher.safetensors", { config })).encode(gpu, dataset);
console.log("features", whole.shape);
dataset.close?.();
