/**
 * Cases loss_*: the DINO loss, its gradient and its centre.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import { DinoLoss } from "../../../lib/loss.ts";
import type { Case } from "./case.ts";
import type { Results } from "./compare.ts";
import { download, upload } from "./tensors.ts";

interface Config {
  batch: number;
  out_dim: number;
  n_crops: number;
  n_global: number;
  student_temp: number;
  teacher_temp: number;
  center_momentum: number;
}

/** The scalars of the loss by their names in the cases. */
export function metricFields(metrics: ArrayLike<number>): Record<string, number> {
  return {
    loss: metrics[0],
    teacher_entropy: metrics[1],
    teacher_entropy_of_mean: metrics[2],
    kl_teacher_student: metrics[3],
  };
}

/**
 * The teacher's probabilities [rows, K] as the loss's own kernels see them. They are never stored, but a
 * student whose logits are all zero shows them: with every row paired once, its gradient is
 * (1 / K − q) / rows.
 */
async function teacherProbs(gpu: Gpu, config: Config, teacher: Tensor, center: Tensor) {
  const { out_dim: outDim, teacher_temp: teacherTemp } = config;
  const [rows] = teacher.shape;
  const options = { outDim, nCrops: 2, nGlobalCrops: 1, studentTemp: 1, teacherTemp };
  const probe = new DinoLoss({ ...options, gpu });
  probe.center.write(await center.read());
  const grad = gpu.scope(() => {
    const uniform = gpu.tensor(new Float32Array(2 * rows * outDim), [2 * rows, outDim]);
    return probe.forward(uniform, teacher).gradStudent;
  });
  try {
    const second = (await grad.read()).subarray(rows * outDim);
    return second.map((x) => 1 / outDim - x * rows);
  } finally {
    grad.destroy();
    probe.destroy();
  }
}

/** Loss, gradient, metrics and the next centre. */
export async function runLoss(gpu: Gpu, testCase: Case): Promise<Results> {
  const config = testCase.doc.config as unknown as Config;
  const loss = new DinoLoss({
    gpu,
    outDim: config.out_dim,
    nCrops: config.n_crops,
    nGlobalCrops: config.n_global,
    studentTemp: config.student_temp,
    teacherTemp: config.teacher_temp,
    centerMomentum: config.center_momentum,
  });
  const [student, teacher, center] = ["student", "teacher", "center"]
    .map((name) => upload(gpu, testCase, name));
  loss.center.write(await center.read());
  const made = gpu.scope(() => {
    const { metrics, gradStudent, pairLoss } = loss.forward(student, teacher);
    return new Map([["metrics", metrics], ["grad_student", gradStudent], ["pair_loss", pairLoss]]);
  });
  try {
    const tensors = await download(gpu, new Map([...made, ["center", loss.center]]));
    const expected = metricFields(tensors.get("metrics")!);
    if (testCase.tensors.has("out.teacher_probs")) {
      tensors.set("teacher_probs", await teacherProbs(gpu, config, teacher, center));
    }
    return { tensors, fields: { expected } };
  } finally {
    for (const tensor of [student, teacher, center, ...made.values(), loss]) tensor.destroy();
  }
}
