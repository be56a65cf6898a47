/**
 * Cases step_*: one multi-crop forward and backward pass.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import { DinoLoss } from "../../../lib/loss.ts";
import { DinoModel, Parameters } from "../../../lib/model.ts";
import type { RawTensor } from "../../../lib/io/safetensors.ts";
import { type Case, given, givenFloats, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { headConfig, vitConfig } from "./config.ts";
import { metricFields } from "./loss.ts";
import { download, gradients } from "./tensors.ts";

/** What multi-crop cases have in common. */
export interface MultiCropConfig {
  vit: Record<string, unknown>;
  head: Record<string, unknown>;
  n_global: number;
  n_local: number;
  student_temp: number;
  teacher_temp: number;
  center_momentum: number;
  freeze_blocks?: number;
}

/** The case's model. */
export function modelOf(
  { vit, head, freeze_blocks: freezeBlocks = 0 }: MultiCropConfig,
): DinoModel {
  return new DinoModel({ ...vitConfig(vit), freezeBlocks }, headConfig(head));
}

/** The loss's settings, without K and the teacher's temperature. */
export function lossOptions(config: MultiCropConfig) {
  return {
    nCrops: config.n_global + config.n_local,
    nGlobalCrops: config.n_global,
    studentTemp: config.student_temp,
    centerMomentum: config.center_momentum,
  };
}

/** Given crops [views, B, 3, h, w] as the model wants them, [views · B, 3, h, w]; absent when empty. */
export function crops(gpu: Gpu, tensors: Map<string, RawTensor>): Tensor[] {
  return ["global", "local"].flatMap((name) => {
    const [views, batch, ...image] = given(tensors, name).shape.slice(-5);
    const size = views * batch * image.reduce((a, b) => a * b, 1);
    if (size === 0) return [];
    return [gpu.tensor(givenFloats(tensors, name).subarray(0, size), [views * batch, ...image])];
  });
}

/** Logits of both networks, the loss, all gradients and the next centre. */
export async function runStep(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const config = doc.config as unknown as MultiCropConfig;
  const model = modelOf(config);
  const student = new Parameters(gpu, model.specs(), { grad: true });
  const teacher = new Parameters(gpu, model.specs());
  student.load(group(tensors, "in.student."));
  teacher.load(group(tensors, "in.teacher."));
  const loss = new DinoLoss({
    ...lossOptions(config),
    teacherTemp: config.teacher_temp,
    outDim: model.head!.config.outDim,
    gpu,
  });
  loss.center.write(givenFloats(tensors, "center"));
  const made = gpu.scope(() => {
    const views = crops(gpu, tensors);
    const teacherLogits = model.forward(gpu, teacher, views.slice(0, 1)).logits;
    const { logits, backward } = model.forward(gpu, student, views);
    const { metrics, gradStudent } = loss.forward(logits, teacherLogits);
    backward(gradStudent);
    return new Map([
      ["metrics", metrics],
      ["student_logits", logits],
      ["teacher_logits", teacherLogits],
    ]);
  });
  try {
    const values = await download(
      gpu,
      new Map([...made, ["center", loss.center], ...gradients(student)]),
    );
    return { tensors: values, fields: { expected: metricFields(values.get("metrics")!) } };
  } finally {
    for (const part of [...made.values(), student, teacher, loss]) part.destroy();
  }
}
