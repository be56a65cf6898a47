/**
 * Cases patchstep_*: a training step of DINO with iBOT and Gram anchoring, through the trainer.
 *
 * @module
 */
import type { Gpu } from "../../../lib/gpu.ts";
import { DinoModel } from "../../../lib/model.ts";
import { Trainer } from "../../../lib/train.ts";
import { type Case, given, givenFloats, givenLabels, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { headConfig, vitConfig } from "./config.ts";
import { maskedRows } from "./patches.ts";
import { crops, lossOptions, type MultiCropConfig } from "./step.ts";
import { download, gradients } from "./tensors.ts";

interface Config extends MultiCropConfig {
  separate_head: boolean;
  ibot_weight: number;
  gram_weight: number;
}

/** Losses, all gradients and the next centres; the teacher is the anchor. */
export async function runPatchStep(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const config = doc.config as unknown as Config;
  const ibot = config.separate_head ? "separate" : "shared";
  const model = new DinoModel(vitConfig(config.vit), headConfig(config.head), { ibot });
  const trainer = new Trainer(gpu, model, {
    loss: lossOptions(config),
    ibot: { weight: config.ibot_weight, centerMomentum: config.center_momentum },
    gram: { weight: config.gram_weight },
    clip: 0,
  });
  trainer.student.load(group(tensors, "in.student."));
  trainer.teacher!.load(group(tensors, "in.teacher."));
  for (const name of ["center", "ibot_center"]) {
    trainer.buffers.get(name)!.write(givenFloats(tensors, name));
  }
  const rates = { momentum: 1, lr: 0, weightDecay: 0, freezeLastLayer: false };
  const gram = { on: true, refresh: true };
  trainer.set({ step: 0, teacherTemp: config.teacher_temp, gram, ...rates });
  const made = gpu.scope(() => {
    const { shape: [samples, patches] } = given(tensors, "mask");
    const labels = givenLabels(tensors, "mask");
    const { rows, weights } = maskedRows(labels, { samples, patches, perSample: 1 + patches });
    const masks = {
      mask: gpu.tensor(Uint32Array.from(labels), [samples, patches]),
      rows: gpu.tensor(rows, [rows.length]),
      weights: gpu.tensor(weights),
    };
    const { metrics, ibot, gram } = trainer.step(crops(gpu, tensors), masks);
    return new Map([["metrics", metrics], ["ibot", ibot!.metrics], ["gram", gram!]]);
  });
  try {
    const values = await download(
      gpu,
      new Map([...made, ...trainer.buffers, ...gradients(trainer.student)]),
    );
    const [loss, entropy] = values.get("metrics")!, [patches, ofPatches] = values.get("ibot")!;
    const expected = {
      ...{ loss, teacher_entropy: entropy, ibot: patches, ibot_teacher_entropy: ofPatches },
      gram: values.get("gram")![0],
    };
    return { tensors: values, fields: { expected } };
  } finally {
    made.get("metrics")!.destroy();
    made.get("ibot")!.destroy();
    trainer.destroy();
  }
}
