/**
 * Cases resnet_* and resnetstep_*: a ResNet forward and backward, in training and in evaluation, and steps of DINO with
 * it, through the trainer.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import {
  DinoModel,
  Parameters,
  ResNet,
  type ResNetLayers,
  RunningStats,
} from "../../../lib/model.ts";
import { Trainer } from "../../../lib/train.ts";
import { type Case, given, givenFloats, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { headConfig } from "./config.ts";
import { crops, lossOptions, type MultiCropConfig } from "./step.ts";
import { download, gradients, upload } from "./tensors.ts";

const resnetOf = (config: Record<string, unknown>, imageSize: number) =>
  new ResNet({
    layers: config.layers as ResNetLayers,
    width: config.width as number,
    imageSize,
  });

const prefixed = <T>(prefix: string, values: Iterable<readonly [string, T]>) =>
  [...values].map(([name, value]): [string, T] => [`${prefix}.${name}`, value]);

/** Features, the last map, gradients of Σ y · grad_y, and running statistics. */
export async function runResNet(gpu: Gpu, testCase: Case): Promise<Results> {
  const { doc: { config }, tensors } = testCase;
  const resnet = resnetOf(config, given(tensors, "x").shape[2]);
  const found: [string, Float32Array][] = [];
  for (const mode of ["train", "eval"]) {
    const parameters = new Parameters(gpu, resnet.specs(), { grad: true });
    parameters.load(group(tensors, "in.param."));
    const stats = mode === "train" ? new RunningStats(gpu, parameters) : undefined;
    stats?.begin();
    const made = gpu.scope(() => {
      const trace = new Map<string, Tensor>();
      const options = { trace, stats, inputGrad: true };
      const { y, backward } = resnet.forward(
        gpu,
        parameters,
        [upload(gpu, testCase, "x")],
        options,
      );
      const [grad_x] = backward(upload(gpu, testCase, "grad_y"));
      const map = trace.get([...trace.keys()].at(-1)!)!;
      return new Map(Object.entries({ y, map, grad_x }));
    });
    stats?.commit();
    try {
      found.push(...prefixed(mode, await download(gpu, made)));
      const { gradients: all } = config as { gradients: string[] };
      if (all.includes(mode)) {
        found.push(...prefixed(mode, await download(gpu, gradients(parameters))));
      }
      if (stats) {
        found.push(...prefixed(mode, await parameters.save()).filter(([n]) => /running/.test(n)));
      }
    } finally {
      for (const tensor of made.values()) tensor.destroy();
      stats?.destroy();
      parameters.destroy();
    }
  }
  const asked = config.input_gradients as string[];
  const kept = found.filter(([name]) => {
    const [mode, what] = name.split(".");
    return what !== "grad_x" || asked.includes(mode);
  });
  return { tensors: new Map(kept) };
}

interface StepConfig extends MultiCropConfig {
  [key: string]: unknown;
  global_size: number;
  steps: number;
  clip_grad: number;
  lr: number;
  weight_decay: number;
  momentum: number;
}

/** Both networks with their running statistics, and the centre, after some steps. */
export async function runResNetStep(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const config = doc.config as unknown as StepConfig;
  const model = new DinoModel(resnetOf(config, config.global_size), headConfig(config.head));
  const trainer = new Trainer(gpu, model, { loss: lossOptions(config), clip: config.clip_grad });
  try {
    trainer.student.load(group(tensors, "in.student."));
    trainer.teacher!.load(group(tensors, "in.teacher."));
    trainer.buffers.get("center")!.write(givenFloats(tensors, "center"));
    const loss: number[] = [];
    for (let step = 0; step < config.steps; step++) {
      const { lr, weight_decay: weightDecay, momentum, teacher_temp: teacherTemp } = config;
      trainer.set({ step, teacherTemp, momentum, lr, weightDecay, freezeLastLayer: false });
      const { metrics } = gpu.scope(() => {
        const { metrics } = trainer.step(crops(gpu, step ? turned(tensors) : tensors));
        return { metrics };
      });
      loss.push((await metrics.read())[0]);
      metrics.destroy();
    }
    return {
      tensors: new Map([
        ...prefixed("student", await trainer.student.save()),
        ...prefixed("teacher", await trainer.teacher!.save()),
        ["center", await trainer.buffers.get("center")!.read()],
      ]),
      fields: { expected: { loss } },
    };
  } finally {
    trainer.destroy();
  }
}

/** Other pictures: mirrored, and half as bright. */
function turned(tensors: Case["tensors"]): Case["tensors"] {
  return new Map(["global", "local"].map((name) => {
    const found = given(tensors, name), width = found.shape.at(-1)!;
    const values = givenFloats(tensors, name);
    const data = values.map((_, i) => values[i - i % width + width - 1 - i % width] / 2);
    return [`in.${name}`, { ...found, data }];
  }));
}
