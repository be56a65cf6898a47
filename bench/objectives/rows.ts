/**
 * The rows of the table of objectives: each a configuration with what is set beside it.
 *
 * @module
 */
import type { Feature } from "../../lib/model.ts";

/** A row. */
export interface Row {
  /** Short; also the name of its folder. */
  name: string;
  /** What it is, in the table. */
  title: string;
  /** The table that it belongs to: what its pictures are judged on. */
  judge: Judge;
  /** Its configuration. */
  config: string;
  /** What is set beside it, by key; read-outs and seeds are not among it. */
  set: Readonly<Record<string, string>>;
  /**
   * Who trains: Hatchling, PyTorch alone by an objective that only it has, or nobody: the weights as they are at the
   * start, or the pictures' own pixels.
   */
  by: "hatchling" | "simdino" | "untrained" | "pixels";
  /** What is read out, where others than {@linkcode READOUTS}. */
  readouts?: readonly Feature[];
}

/** A data set that features are judged on, other than those trained on where it is named. */
export type Judge = "emoji_base" | "mnist";

/** What is read out of every model, each plain and whitened. */
export const READOUTS: readonly Feature[] = ["class", "mean", "quad", "grid"];

/** Batches of 64 at a high rate for five epochs, which InfoNCE makes the most of. */
const FAST = {
  "data.batch_size": "64",
  "optimizer.lr": "5e-3",
  "scheduler.warmup_epochs": "0.5",
  "training.num_epochs": "5",
  "training.max_steps": "null",
} as const;

/** A teacher that follows as fast as a short run with such a rate needs. */
const QUICK_TEACHER = {
  "training.teacher_momentum": "0.98",
  "training.teacher_momentum_final": "0.995",
} as const;

const INFONCE = { ...FAST, "loss.objective": "infonce" } as const;

/** DINO's own small recipe, which stays as it is. */
const EMOJI = { judge: "emoji_base", config: "configs/dino-small.yaml" } as const;

/** All rows, in the order of the tables. */
export const ROWS: readonly Row[] = [
  {
    ...EMOJI,
    name: "pixels",
    title: "raw 16 × 16 pixels",
    set: {},
    by: "pixels",
  },
  { ...EMOJI, name: "untrained", title: "untrained", set: {}, by: "untrained" },
  { ...EMOJI, name: "dino", title: "DINO", set: {}, by: "hatchling" },
  {
    ...EMOJI,
    name: "dino-koleo",
    title: "DINO + KoLeo 0.1",
    set: { "loss.koleo_weight": "0.1" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "dino-sinkhorn",
    title: "DINO, Sinkhorn–Knopp",
    set: { "loss.centering": "sinkhorn_knopp" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "dino-ibot",
    title: "DINO + iBOT",
    set: { "loss.ibot_weight": "1" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "dino-quad",
    title: "DINO on quad",
    set: { "model.feature": "quad" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "infonce-mean",
    title: "InfoNCE on mean",
    set: { ...INFONCE, "model.feature": "mean" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "infonce-quad",
    title: "InfoNCE on quad",
    set: { ...INFONCE, "model.feature": "quad" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "infonce-teacher",
    title: "InfoNCE on quad, keys by a teacher",
    set: {
      ...INFONCE,
      ...QUICK_TEACHER,
      "model.feature": "quad",
      "loss.contrastive_teacher": "true",
    },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "infonce-learned",
    title: "InfoNCE on quad, learned temperature",
    set: { ...INFONCE, "model.feature": "quad", "loss.contrastive_temp_learned": "true" },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "dino-infonce",
    title: "DINO + InfoNCE on quad",
    set: {
      ...FAST,
      ...QUICK_TEACHER,
      "loss.center_momentum": "0.9",
      "loss.contrastive_weight": "1",
      "loss.contrastive_feature": "quad",
    },
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "simdino",
    title: "SimDINO (PyTorch)",
    set: { ...FAST, ...QUICK_TEACHER },
    by: "simdino",
  },
  {
    ...EMOJI,
    name: "simdino-quad",
    title: "SimDINO on quad (PyTorch)",
    set: { ...FAST, ...QUICK_TEACHER, "model.feature": "quad" },
    by: "simdino",
  },
  {
    ...EMOJI,
    name: "small",
    title: "configs/small.yaml as it is",
    config: "configs/small.yaml",
    set: {},
    by: "hatchling",
  },
  {
    ...EMOJI,
    name: "emoji",
    title: "configs/emoji.yaml as it is",
    config: "configs/emoji.yaml",
    set: {},
    by: "hatchling",
  },
  {
    judge: "mnist",
    name: "mnist-pixels",
    title: "raw 16 × 16 pixels",
    config: "configs/mnist.yaml",
    set: {},
    by: "pixels",
  },
  {
    judge: "mnist",
    name: "mnist",
    title: "configs/mnist.yaml as it is",
    config: "configs/mnist.yaml",
    set: {},
    by: "hatchling",
  },
];
