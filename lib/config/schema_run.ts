/**
 * Keys of the run: optimiser, schedules, checkpoints, evaluation, device.
 *
 * @module
 */

import { FEATURES } from "../model/feature.ts";
import { ADAM_DEFAULTS, SGD_DEFAULTS } from "../optim/defaults.ts";
import {
  BELOW_ONE,
  BOOLEAN,
  COUNT,
  COUNT_OR_NULL,
  EPOCHS,
  FRACTION,
  NON_NEGATIVE,
  NULL,
  PICTURES,
  POSITIVE,
  TEXT_OR_NULL,
  ZERO_OR_MORE,
} from "./kinds.ts";

/** The keys of section `optimizer`. */
export const OPTIMIZER_KEYS = {
  optimizer: [
    { enum: ["adamw", "adam", "sgd"] },
    "adamw",
    "The optimiser: `adamw`; `adam`, whose weight decay is a part of the gradient (L2); `sgd`, with momentum, Nesterov's or not, and that same decay.",
    "optim",
  ],
  lr: [
    POSITIVE,
    0.0005,
    "Peak learning rate, per 256 pictures if `lr_scale_by_batch`.",
    "learning_rate",
  ],
  lr_scale_by_batch: [
    BOOLEAN,
    true,
    "Multiply `optimizer.lr` by the pictures of a step / 256 (`data.batch_size`, times `training.gradient_accumulation_steps`); false takes it as it is.",
  ],
  weight_decay: [NON_NEGATIVE, 0.04, "Weight decay at the start of its cosine."],
  weight_decay_end: [
    NON_NEGATIVE,
    0.4,
    "Weight decay at the end of its cosine; equal to `weight_decay` it stays constant.",
  ],
  betas: [
    { type: "array", prefixItems: [BELOW_ONE, BELOW_ONE] },
    ADAM_DEFAULTS.betas,
    "Decay of the first and second moment of `adamw` and `adam`.",
  ],
  eps: [
    POSITIVE,
    ADAM_DEFAULTS.eps,
    "Added to the root of the second moment of `adamw` and `adam`.",
  ],
  momentum: [BELOW_ONE, SGD_DEFAULTS.momentum, "Momentum of `sgd`, without dampening."],
  nesterov: [
    BOOLEAN,
    SGD_DEFAULTS.nesterov,
    "Step along the gradient and the momentum that follows it (`sgd`).",
  ],
  layer_decay: [
    { type: "number", minimum: 0.1, maximum: 1 },
    1,
    "d: block i of n learns at d^(n + 1 − i) times the rate, the embedding at d^(n + 1), final norm and head at all of it; 1 is off. DINOv2 has 0.9, DINO none.",
    "layerwise_decay layer_wise_decay",
  ],
} as const;

/** The keys of section `scheduler`. */
export const SCHEDULER_KEYS = {
  scheduler: [
    { enum: ["cosine_warmup", "cosine", "linear", "constant"] },
    "cosine_warmup",
    "Learning rate by iteration: a linear warm-up, then half a cosine (`cosine_warmup`), a line (`linear`), both to `min_lr`, or nothing but the peak (`constant`); `cosine` is half a cosine without a warm-up.",
    "lr_scheduler schedule",
  ],
  warmup_epochs: [
    { ...NON_NEGATIVE, maximum: EPOCHS.maximum },
    10,
    "Epochs of the warm-up, or a part of one; `cosine` has none.",
  ],
  min_lr: [NON_NEGATIVE, 1e-6, "Learning rate at the end of cosine or line; never scaled."],
  warmup_start_lr: [NON_NEGATIVE, 0, "Learning rate of the first iteration; never scaled."],
} as const;

/** The keys of section `training`. */
export const TRAINING_KEYS = {
  preset: [
    { enum: ["none", "auto"] },
    "none",
    "`auto` chooses what depends on the data and the time (model, views, objective, batch, epochs, rates, momenta, temperatures, K) by the number and size of the pictures and `--budget`; what the file or the command line sets stays.",
  ],
  seed: [ZERO_OR_MORE, 0, "The only seed: weights, order of pictures, views and drop path."],
  num_epochs: [
    { ...EPOCHS, minimum: 1 },
    100,
    "Passes over the pictures; every schedule spans them.",
    "epochs",
  ],
  max_steps: [
    COUNT_OR_NULL,
    null,
    "Stop after this many steps; null runs all epochs. Schedules keep the length of `num_epochs`.",
    "steps max_iters",
  ],
  teacher_momentum: [
    FRACTION,
    0.996,
    "m of the teacher at the start: t = m × t + (1 − m) × s.",
    "momentum_teacher ema_momentum",
  ],
  teacher_momentum_schedule: [
    BOOLEAN,
    true,
    "Move the momentum along a cosine to `teacher_momentum_final`; false keeps it constant.",
  ],
  teacher_momentum_final: [FRACTION, 1, "m of the teacher at the end of its cosine."],
  gradient_clip: [
    NON_NEGATIVE,
    3,
    "Largest L2 norm of the gradient, of each parameter tensor by itself or of all (`gradient_clip_mode`); 0 clips nothing.",
    "clip_grad max_grad_norm",
  ],
  gradient_clip_mode: [
    { enum: ["per_tensor", "global_norm"] },
    "per_tensor",
    "What `gradient_clip` limits: `per_tensor` the norm of each tensor, as DINO does, `global_norm` that of all gradients together, those of a frozen last layer too.",
  ],
  freeze_last_layer: [
    EPOCHS,
    1,
    "Epochs at the start during which the head's last layer is not trained.",
  ],
  head_warmup_epochs: [
    EPOCHS,
    0,
    "Epochs at the start in which the head alone learns: the backbone's learning rate is 0. For given weights (`--weights`), whose head is new.",
  ],
  gradient_accumulation_steps: [
    { ...COUNT, maximum: 65536 },
    1,
    "Batches of `data.batch_size` whose gradients make one step: the step of a batch so many times as large (the centre sees all of it), in the memory of one.",
    "accumulate_grad_batches grad_accum accumulation_steps",
  ],
  recompute: [
    BOOLEAN,
    false,
    "Keep only the input of every block for the backward pass and make the rest again: the same bits, less memory, more time (activation checkpointing).",
    "activation_checkpointing gradient_checkpointing checkpointing",
  ],
  on_non_finite: [
    { enum: ["stop", "skip"] },
    "stop",
    "After a step with NaN or infinity, which changes nothing: `stop` saves the state from before it and ends the run with a diagnosis; `skip` leaves that batch out and goes on.",
    "skip_nan",
  ],
  max_skipped_steps: [
    ZERO_OR_MORE,
    10,
    "With `on_non_finite: skip`, the most batches that a run leaves out; then it stops.",
  ],
} as const;

/** The keys of section `checkpoint`. */
export const CHECKPOINT_KEYS = {
  save_every_n_epochs: [
    COUNT_OR_NULL,
    1,
    "Save at the end of every n-th epoch; null does not. The end of a run is always saved.",
    "saveckp_freq",
  ],
  save_every_n_iters: [COUNT_OR_NULL, null, "Save also after every n-th step; null does not."],
  keep_last_n: [
    COUNT_OR_NULL,
    5,
    "Newest checkpoints kept; null keeps all. DINO has no such limit.",
  ],
  keep_every_n_epochs: [
    COUNT_OR_NULL,
    null,
    "Keep the checkpoint of every n-th epoch's end for good; null keeps the newest only.",
  ],
  save_best: [
    BOOLEAN,
    true,
    "Keep the best state in best.safetensors, as `evaluation.every_n_epochs` finds it: by k-NN, without labels by view retrieval.",
  ],
} as const;

/** The keys of section `logging`. */
export const LOGGING_KEYS = {
  log_every_n_iters: [
    COUNT,
    10,
    "Steps between two read-backs of the metrics, and log lines.",
    "log_freq log_every",
  ],
  tensorboard: [
    BOOLEAN,
    false,
    "Write TensorBoard's event files beside metrics.jsonl: `tensorboard --logdir runs` then shows the curves.",
  ],
} as const;

/** The keys of section `evaluation`. */
export const EVALUATION_KEYS = {
  feature: [
    { enum: FEATURES, also: NULL, inherits: "model.feature" },
    null,
    "What is read out to judge, embed and search pictures, in the words of `model.feature`; null is that one.",
  ],
  last_blocks: [
    { ...COUNT, maximum: 256 },
    1,
    "Blocks, from the last one back, whose tokens are read out, each after the final norm. DINO's linear evaluation takes 4 of ViT-S.",
    "n_last_blocks",
  ],
  combine_blocks: [
    { enum: ["concat", "mean"] },
    "concat",
    "What becomes of the features of several blocks: `concat` lays them side by side, `mean` averages them.",
  ],
  whiten: [
    BOOLEAN,
    false,
    "Whiten what is read out: every direction of the features then counts alike. It is fitted to the pictures without labels (PCA with shrinkage) and stored with the weights. Judging at the end shows plain and whitened features, whatever is set here.",
  ],
  whiten_alpha: [
    NON_NEGATIVE,
    1,
    "Shrinkage of whitening, in mean variances: 0 gives all directions the variance 1, noise too; large ones leave features as they are.",
  ],
  knn_k: [
    { type: "array", items: COUNT, minItems: 1, maxItems: 64, also: COUNT },
    [10, 20, 100, 200],
    "Neighbours of the k-NN classifier, one figure for each k. A number is a list of one.",
    "nb_knn",
  ],
  knn_temperature: [POSITIVE, 0.07, "τ of a neighbour's vote, exp(cosine similarity / τ)."],
  view_retrieval: [
    BOOLEAN,
    true,
    "Measure also how often a picture is found from a crop of it. DINO has no such figure.",
  ],
  every_n_epochs: [
    COUNT_OR_NULL,
    null,
    "Evaluate the teacher at the end of every n-th epoch too; null does it at the end of the run only.",
    "eval_freq knn_every",
  ],
  max_images: [
    COUNT_OR_NULL,
    null,
    "Evaluate on this many pictures of each set at most; null takes all.",
  ],
  test_path: [
    TEXT_OR_NULL,
    null,
    "Pictures to judge by those of `data`: a folder, list or module. null judges the validation side where `data.split` is `train`, else every picture by all others.",
    "val_path test",
  ],
  probes: [
    BOOLEAN,
    false,
    "Fit linear probes and make clusters too when a run is judged; `deno task evaluate` always does.",
  ],
  linear_epochs: [
    EPOCHS,
    100,
    "Epochs of the linear probe by SGD, as in eval_linear.py; 0 leaves it out.",
  ],
  batch_size: [PICTURES, 128, "Pictures per forward pass of the teacher."],
} as const;

/** The keys of section `device`. */
export const DEVICE_KEYS = {
  adapter: [
    TEXT_OR_NULL,
    null,
    "Which of several adapters: its number, or a part of its name, as `deno task doctor` lists them. Null takes a GPU before a CPU, and the faster of two.",
    "gpu gpu_id device_id",
  ],
  limits: [
    { enum: ["adapter", "portable"] },
    "adapter",
    "`adapter` asks for all that the GPU offers, `portable` for WebGPU's default limits only.",
  ],
  tune: [
    BOOLEAN,
    true,
    "Time a few kernels on a GPU that is new here, once, and keep the choice in the user's cache folder (hatchling/kernels-*.json: delete it to choose anew); false takes fixed ones.",
  ],
  max_submit_ms: [
    { type: "number", minimum: 5, maximum: 500 },
    100,
    "Milliseconds that the work handed to the GPU at once should last at most, by measured times; a longer dispatch is divided. Less leaves the screen more fluent; above 500 a driver's watchdog may end it.",
  ],
  precision: [
    { enum: ["auto", "f32", "f16"] },
    "auto",
    "What activations are stored as from the forward pass to the backward pass: `f16` takes half the memory and needs a GPU with shader-f16; sums, statistics, losses, gradients and all weights are f32 in any case. `auto` is f16 where that was tried, found right and faster, and f32 on CPUs; ResNets have f32 alone.",
  ],
  communication: [
    { enum: ["f32", "f16"] },
    "f32",
    "What the ranks of `mpirun` send gradients as: `f16` is half the bytes, for slow networks; what rounding takes from a gradient is added to the next one.",
  ],
  memory_bytes: [
    COUNT_OR_NULL,
    null,
    "Most bytes that a run may take on the GPU; null is 80 % of the free memory where a CPU plays the GPU, and no limit elsewhere, as WebGPU does not tell it.",
  ],
  watchdog_seconds: [
    { ...POSITIVE, maximum: 1e6 },
    600,
    "End the run with a message when the GPU has not answered for so long: it hangs.",
  ],
} as const;
