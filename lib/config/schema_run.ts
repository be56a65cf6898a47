/**
 * Sections of the run: optimiser, schedules, checkpoints, evaluation, device.
 *
 * @module
 */

import { z } from "./deps.ts";
import {
  belowOne,
  count,
  countTo,
  fraction,
  key,
  MOST_EPOCHS,
  MOST_PICTURES,
  nonNegative,
  orNull,
  positive,
  text,
  zeroOrMore,
} from "./kinds.ts";

const epochs = z.int().min(0).max(MOST_EPOCHS);

/** Section `optimizer`. */
export const optimizer = z.strictObject({
  optimizer: key(z.enum(["adamw"]), "adamw", "The optimiser; there is one."),
  lr: key(positive, 0.0005, "Peak learning rate, per 256 pictures if `lr_scale_by_batch`.", {
    aka: ["learning_rate"],
  }),
  lr_scale_by_batch: key(
    z.boolean(),
    true,
    "Multiply `optimizer.lr` by the pictures of a step / 256 (`data.batch_size`, times " +
      "`training.gradient_accumulation_steps`); false takes it as it is.",
  ),
  weight_decay: key(nonNegative, 0.04, "Weight decay at the start of its cosine."),
  weight_decay_end: key(
    nonNegative,
    0.4,
    "Weight decay at the end of its cosine; equal to `weight_decay` it stays constant.",
  ),
  betas: key(
    z.tuple([belowOne, belowOne]).readonly(),
    [0.9, 0.999],
    "Decay of AdamW's first and second moment.",
  ),
  eps: key(positive, 1e-8, "Added to the root of AdamW's second moment."),
}).meta({ description: "AdamW. Biases and one-dimensional parameters are not decayed." });

/** Section `scheduler`. */
export const scheduler = z.strictObject({
  scheduler: key(
    z.enum(["cosine_warmup"]),
    "cosine_warmup",
    "Learning rate by iteration: a linear warm-up, then half a cosine; there is one.",
  ),
  warmup_epochs: key(epochs, 10, "Epochs of the warm-up."),
  min_lr: key(nonNegative, 1e-6, "Learning rate at the end of the cosine; never scaled."),
  warmup_start_lr: key(nonNegative, 0, "Learning rate of the first iteration; never scaled."),
}).meta({ description: "The learning rate over the run." });

/** Section `training`. */
export const training = z.strictObject({
  preset: key(
    z.enum(["none", "auto"]),
    "none",
    "`auto` chooses the settings that depend on the data (K, temperatures, momenta, rates, crops, epochs) from the " +
      "number and size of the pictures and `--budget`; what the file or the command line sets stays.",
  ),
  seed: key(zeroOrMore, 0, "The only seed: weights, order of pictures, views and drop path."),
  num_epochs: key(
    countTo(MOST_EPOCHS),
    100,
    "Passes over the pictures; every schedule spans them.",
    {
      aka: ["epochs"],
    },
  ),
  max_steps: key(
    orNull,
    null,
    "Stop after this many steps; null runs all epochs. Schedules keep the length of `num_epochs`.",
    { aka: ["steps", "max_iters"] },
  ),
  teacher_momentum: key(
    fraction,
    0.996,
    "m of the teacher at the start: t = m × t + (1 − m) × s.",
    {
      aka: ["momentum_teacher", "ema_momentum"],
    },
  ),
  teacher_momentum_schedule: key(
    z.boolean(),
    true,
    "Move the momentum along a cosine to `teacher_momentum_final`; false keeps it constant.",
  ),
  teacher_momentum_final: key(fraction, 1, "m of the teacher at the end of its cosine."),
  gradient_clip: key(
    nonNegative,
    3,
    "Largest L2 norm of the gradient of each parameter tensor by itself; 0 clips nothing.",
    { aka: ["clip_grad", "max_grad_norm"] },
  ),
  freeze_last_layer: key(
    epochs,
    1,
    "Epochs at the start during which the head's last layer is not trained.",
  ),
  gradient_accumulation_steps: key(
    countTo(65536),
    1,
    "Batches of `data.batch_size` whose gradients make one step: the step of a batch so many times as large " +
      "(the centre sees all of it), in the memory of one.",
    { aka: ["accumulate_grad_batches", "grad_accum", "accumulation_steps"] },
  ),
  recompute: key(
    z.boolean(),
    false,
    "Keep only the input of every block for the backward pass and make the rest again: the same bits, less " +
      "memory, more time (activation checkpointing).",
    { aka: ["activation_checkpointing", "gradient_checkpointing", "checkpointing"] },
  ),
  on_non_finite: key(
    z.enum(["stop", "skip"]),
    "stop",
    "After a step with NaN or infinity, which changes nothing: `stop` saves the state from before it and ends " +
      "the run with a diagnosis; `skip` leaves that batch out and goes on.",
    { aka: ["skip_nan"] },
  ),
  max_skipped_steps: key(
    zeroOrMore,
    10,
    "With `on_non_finite: skip`, the most batches that a run leaves out; then it stops.",
  ),
}).meta({ description: "Length of the run, the teacher, and what keeps the first epochs stable." });

/** Section `checkpoint`. */
export const checkpoint = z.strictObject({
  save_every_n_epochs: key(
    orNull,
    1,
    "Save at the end of every n-th epoch; null does not. The end of a run is always saved.",
    { aka: ["saveckp_freq"] },
  ),
  save_every_n_iters: key(orNull, null, "Save also after every n-th step; null does not."),
  keep_last_n: key(orNull, 5, "Newest checkpoints kept; null keeps all. DINO has no such limit."),
  keep_every_n_epochs: key(
    orNull,
    null,
    "Keep the checkpoint of every n-th epoch's end for good; null keeps the newest only.",
  ),
  save_best: key(
    z.boolean(),
    true,
    "Keep the best state in best.safetensors, as `evaluation.every_n_epochs` finds it: by k-NN, without labels " +
      "by view retrieval.",
  ),
}).meta({ description: "When checkpoints are written and how many are kept." });

/** Section `logging`. */
export const logging = z.strictObject({
  log_every_n_iters: key(count, 10, "Steps between two read-backs of the metrics, and log lines.", {
    aka: ["log_freq", "log_every"],
  }),
  tensorboard: key(
    z.boolean(),
    false,
    "Write TensorBoard's event files beside metrics.jsonl: `tensorboard --logdir runs` then shows the curves.",
  ),
}).meta({ description: "What a run prints and writes." });

/** Section `evaluation`. */
export const evaluation = z.strictObject({
  knn_k: key(
    z.union([count, z.array(count).min(1).max(64).readonly()]),
    [10, 20, 100, 200],
    "Neighbours of the k-NN classifier, one figure for each k. A number is a list of one.",
    { aka: ["nb_knn"], resolved: "readonly number[]" },
  ),
  knn_temperature: key(positive, 0.07, "τ of a neighbour's vote, exp(cosine similarity / τ)."),
  view_retrieval: key(
    z.boolean(),
    true,
    "Measure also how often a picture is found from a crop of it. DINO has no such figure.",
  ),
  every_n_epochs: key(
    orNull,
    null,
    "Evaluate the teacher at the end of every n-th epoch too; null does it at the end of the run only.",
    { aka: ["eval_freq", "knn_every"] },
  ),
  max_images: key(
    orNull,
    null,
    "Evaluate on this many pictures of each set at most; null takes all.",
  ),
  test_path: key(
    text.nullable(),
    null,
    "Pictures to judge by those of `data`: a folder, list or module. null judges the validation side where " +
      "`data.split` is `train`, else every picture by all others.",
    { aka: ["val_path", "test"] },
  ),
  probes: key(
    z.boolean(),
    false,
    "Fit linear probes and make clusters too when a run is judged; `deno task evaluate` always does.",
  ),
  linear_epochs: key(
    epochs,
    100,
    "Epochs of the linear probe by SGD, as in eval_linear.py; 0 leaves it out.",
  ),
  batch_size: key(countTo(MOST_PICTURES), 128, "Pictures per forward pass of the teacher."),
}).meta({ description: "How the teacher's features are judged." });

/** Section `device`. */
export const device = z.strictObject({
  limits: key(
    z.enum(["adapter", "portable"]),
    "adapter",
    "`adapter` asks for all that the GPU offers, `portable` for WebGPU's default limits only.",
  ),
  tune: key(
    z.boolean(),
    true,
    "Time a few kernels on a GPU that is new here, once, and keep the choice in the user's cache folder " +
      "(hatchling/kernels-*.json: delete it to choose anew); false takes fixed ones.",
  ),
  memory_bytes: key(
    orNull,
    null,
    "Most bytes that a run may take on the GPU; null is 80 % of the free memory where a CPU plays the GPU, and " +
      "no limit elsewhere, as WebGPU does not tell it.",
  ),
  watchdog_seconds: key(
    positive.max(1e6), // timers hold no more than 2^31 milliseconds
    600,
    "End the run with a message when the GPU has not answered for so long: it hangs.",
  ),
}).meta({ description: "The GPU." });
