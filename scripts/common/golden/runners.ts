/**
 * Which module runs which kind of case.
 *
 * @module
 */
import type { Gpu } from "../../../lib/gpu.ts";
import { type GoldenDoc, type GoldenTensor, runAug, runCropstats } from "./aug.ts";
import type { Case } from "./case.ts";
import type { Results } from "./compare.ts";
import { runFamily } from "./family.ts";
import { runHead } from "./head.ts";
import { runInfoNce } from "./infonce.ts";
import { runKnn } from "./knn.ts";
import { runLoss } from "./loss.ts";
import { runAdamW, runClip, runEma, runOptim } from "./optimizer.ts";
import { runGram, runIbot, runMaskEmbed } from "./patches.ts";
import { runPatchStep } from "./patch_step.ts";
import { runPosEmbed } from "./posembed.ts";
import { runResNet, runResNetStep } from "./resnet.ts";
import { runSchedule } from "./schedule.ts";
import { runStep } from "./step.ts";
import { runTerms } from "./terms.ts";
import { runTrain } from "./train.ts";
import { runVit } from "./vit.ts";

/** Computes what a case expects; leaves no tensor behind. */
export type Runner = (gpu: Gpu, testCase: Case) => Promise<Results> | Results;

/** Runners by kind of case. */
export const RUNNERS: Record<string, Runner> = {
  loss: runLoss,
  ibot: runIbot,
  gram: runGram,
  maskembed: runMaskEmbed,
  patchstep: runPatchStep,
  infonce: runInfoNce,
  head: runHead,
  vit: runVit,
  family: runFamily,
  posembed: runPosEmbed,
  resnet: runResNet,
  resnetstep: runResNetStep,
  step: runStep,
  adamw: runAdamW,
  optim: runOptim,
  clip: runClip,
  ema: runEma,
  schedule: (_, testCase) => runSchedule(testCase),
  train: runTrain,
  terms: runTerms,
  knn: runKnn,
  aug: async (gpu, { doc, tensors }) => {
    const results = await runAug(gpu, doc as GoldenDoc, tensors as Map<string, GoldenTensor>);
    return {
      checks: results.map(({ what, ratio }) => {
        const [name, detail] = what.split(" (", 2); // "out.blur (max 2.00, mean 0.100 levels)"
        return { what: name, ratio, detail: detail?.slice(0, -1) };
      }),
    };
  },
  cropstats: (_, { doc }) => ({
    checks: runCropstats(doc as GoldenDoc).map(({ what, ratio }) => ({
      what: `expected.${what.replace(" ", ".")}`, // "aspect mean"
      ratio,
    })),
  }),
};
