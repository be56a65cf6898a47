/**
 * Cases infonce_*: InfoNCE over views, its gradients, and a learned temperature's.
 *
 * @module
 */
import type { Gpu } from "../../../lib/gpu.ts";
import { infoNce } from "../../../lib/loss.ts";
import type { Case } from "./case.ts";
import type { Results } from "./compare.ts";
import { download, upload } from "./tensors.ts";

interface Config {
  n_views: number;
  n_global: number;
  keys: "own" | "teacher";
  temperature?: number;
  log_scale?: number;
}

/** Loss, accuracy, pairs and gradients. */
export async function runInfoNce(gpu: Gpu, testCase: Case): Promise<Results> {
  const { n_views: views, n_global: globals, keys, temperature, log_scale: given } = testCase.doc
    .config as unknown as Config;
  const made = gpu.scope(() => {
    const learned = given === undefined
      ? undefined
      : { data: gpu.tensor(Float32Array.of(given)), grad: gpu.persistent([1]) };
    const { loss, accuracy, pairLoss, gradQueries } = infoNce(
      gpu,
      upload(gpu, testCase, "queries"),
      {
        ...{ views, globals },
        keys: keys === "teacher" ? upload(gpu, testCase, "keys") : undefined,
        temperature: learned ? { logScale: learned } : temperature,
      },
    );
    const tensors = { loss, accuracy, pair_loss: pairLoss, grad_queries: gradQueries };
    return { ...tensors, ...learned ? { grad_log_scale: learned.grad } : {} };
  });
  try {
    const tensors = await download(gpu, new Map(Object.entries(made)));
    const [[loss], [accuracy]] = ["loss", "accuracy"].map((name) => tensors.get(name)!);
    return { tensors, fields: { expected: { loss, accuracy } } };
  } finally {
    for (const tensor of Object.values(made)) tensor.destroy();
  }
}
