/**
 * The cases of each section.
 *
 * @module
 */
import { VIT_PRESETS } from "../lib/model.ts";
import type { BackboneShape, Job, StepJobShape } from "./jobs.ts";

/** One line of a table. */
export interface Case {
  /** Its name. */
  label: string;
  /** Cases of one group share a mean ratio. */
  group: string;
  /** What is timed. */
  job: Job;
  /** Operations, where arithmetic is what counts. */
  flops?: number;
  /** Bytes that have to move at least, where memory is what counts. */
  bytes?: number;
}

/** Rows of activations; 64 are those of a small batch's heads, reported by themselves. */
const ROWS = [64, 256, 1024, 2048];

/** [K, N] of the products of ViTs of width 192 and 384 and of the head's last layer. */
const PRODUCTS = [[192, 192], [192, 576], [192, 768], [768, 192], [384, 1536], [256, 4096]];

const TRANSPOSES = [
  { name: "NN", transA: false, transB: false },
  { name: "NT", transA: false, transB: true },
  { name: "TN", transA: true, transB: false },
];

/** Products: forward is NT, the gradient of the input NN, that of the weight TN. */
export function matmulCases(): Case[] {
  return TRANSPOSES.flatMap(({ name, transA, transB }) =>
    ROWS.flatMap((m) =>
      PRODUCTS.map(([k, n]) => ({
        label: `${name} ${m}×${k}×${n}`,
        group: m < 256 ? "64 rows" : name,
        job: { op: "matmul" as const, m, k, n, transA, transB },
        flops: 2 * m * k * n,
      }))
    )
  );
}

/** Tokens of a 16 px, 32 px (patch 4) and 224 px (patch 16) view, in batches of about the same size. */
export function attentionCases(): Case[] {
  const heads = 3, headDim = 64;
  return [[65, 32], [17, 96], [197, 8]].flatMap(([tokens, batch]) =>
    [false, true].map((grad) => {
      const product = 2 * batch * heads * tokens ** 2 * headDim;
      return {
        label: `${batch} × ${tokens} tokens${grad ? ", with gradient" : ""}`,
        group: grad ? "with gradient" : "forward",
        job: { op: "attention" as const, batch, tokens, heads, headDim, grad },
        flops: (grad ? 7 : 2) * product,
      };
    })
  );
}

/** Kernels that move memory: rows of a ViT of width 192, and the updates of 5.5 M parameters. */
export function rowCases(): Case[] {
  const [rows, cols] = [2048, 192], size = 5 * 2 ** 20;
  const line = (op: "layer_norm" | "layer_norm_grad" | "softmax" | "gelu", passes: number) => {
    const width = op === "gelu" ? 4 * cols : cols;
    return {
      label: `${op.replace("_grad", " with gradient").replace("_", " ")} ${rows}×${width}`,
      group: op,
      job: { op, rows, cols: width },
      bytes: 4 * rows * width * passes,
    };
  };
  return [
    line("layer_norm", 2),
    line("layer_norm_grad", 5),
    line("softmax", 2),
    line("gelu", 2),
    { label: "AdamW 5.2 M", group: "adamw", job: { op: "adamw", size }, bytes: 28 * size },
    { label: "EMA 5.2 M", group: "ema", job: { op: "ema", size }, bytes: 12 * size },
  ];
}

/** The loss of logits with its gradient; every logit is read twice, its gradient written once. */
export function lossCases(): Case[] {
  return [{ views: 8, batch: 16, outDim: 4096 }, { views: 10, batch: 4, outDim: 65536 }].map(
    (sizes) => ({
      label: `${sizes.views} views × ${sizes.batch}, K ${sizes.outDim}`,
      group: "loss",
      job: { op: "loss" as const, globals: 2, ...sizes },
      bytes: 4 * sizes.batch * sizes.outDim * (3 * sizes.views + 2 * 2),
    }),
  );
}

/** Whole steps. */
export const STEPS: Readonly<Record<string, StepJobShape>> = {
  smoke: {
    batch: 4,
    vit: { imageSize: 16, patchSize: 8, dim: 32, depth: 1, heads: 2 },
    head: { outDim: 64, hiddenDim: 64, bottleneckDim: 16 },
    globals: 2,
    locals: 2,
    localSize: 8,
  },
  small: {
    batch: 16,
    vit: { imageSize: 32, patchSize: 4, dim: 192, depth: 6, heads: 3 },
    head: { outDim: 4096, hiddenDim: 2048, bottleneckDim: 256 },
    globals: 2,
    locals: 6,
    localSize: 16,
  },
  "vit-ti": {
    batch: 2,
    vit: { imageSize: 224, patchSize: 16, ...VIT_PRESETS.vit_tiny },
    head: { outDim: 4096, hiddenDim: 2048, bottleneckDim: 256 },
    globals: 2,
    locals: 6,
    localSize: 96,
  },
};

/** Steps by name; their operations are known when they are recorded. */
export function stepCases(sizes: readonly string[]): Case[] {
  return sizes.map((label) => ({
    label,
    group: label,
    job: { op: "step" as const, ...STEPS[label] },
  }));
}

/** Backbones of published models. */
const BACKBONES: Readonly<Record<string, BackboneShape>> = {
  "ResNet-50": { resnet: { layers: 50, imageSize: 224 } },
  // DINOv2's; LayerScale of 1, so that every branch counts in what is compared.
  "ViT-S/14": { vit: { imageSize: 224, patchSize: 14, ...VIT_PRESETS.vit_small, layerScale: 1 } },
};

/** Features of so many pictures, and their gradients; operations are known when they are recorded. */
export function backboneCases(batch: number): Case[] {
  return Object.entries(BACKBONES).flatMap(([name, model]) =>
    [false, true].map((grad) => {
      const group = `${name}, ${grad ? "forward and backward" : "forward"}`;
      return { label: `${batch} × ${group}`, group, job: { op: "backbone", model, batch, grad } };
    })
  );
}
