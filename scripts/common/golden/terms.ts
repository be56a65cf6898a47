/**
 * Cases terms_*: several steps whose objective is a sum of terms, with the recorded step that `train` replays.
 *
 * @module
 */
import { type Gpu, record } from "../../../lib/gpu.ts";
import { DinoModel, type Feature } from "../../../lib/model.ts";
import { type StepOutputs, Trainer } from "../../../lib/train.ts";
import { type Case, givenFloats, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { headConfig, vitConfig } from "./config.ts";
import { metricFields } from "./loss.ts";
import { crops } from "./step.ts";

interface Config {
  vit: Record<string, unknown>;
  head: Record<string, unknown>;
  /** Widths of the projector's outputs. */
  projector: number[];
  learned_temp: boolean;
  settings: {
    objective: "dino" | "infonce";
    feature: Feature;
    koleo_weight?: number;
    contrastive_weight?: number;
    contrastive_feature: Feature;
    contrastive_temp: number;
    contrastive_teacher?: boolean;
    clip_grad: number;
    freeze_last_layer?: number;
  };
  n_local: number;
  lr: number[];
  weight_decay: number;
  momentum_teacher: number;
  teacher_temp: number;
}

const GLOBALS = 2;

function trainerOf(gpu: Gpu, { settings: s, projector, ...c }: Config): Trainer {
  const model = new DinoModel(
    vitConfig(c.vit),
    s.objective === "dino" ? headConfig({ ...c.head, in_dim: 1 }) : null, // the model knows its width
    {
      feature: s.feature,
      contrastive: {
        feature: s.contrastive_feature,
        hiddenDim: projector[0],
        outDim: projector.at(-1),
        layers: projector.length,
        learnedTemperature: c.learned_temp ? s.contrastive_temp : undefined,
      },
    },
  );
  return new Trainer(gpu, model, {
    loss: {
      nCrops: GLOBALS + c.n_local,
      nGlobalCrops: GLOBALS,
      koleoWeight: s.koleo_weight,
    },
    contrastive: {
      weight: s.objective === "infonce" ? 1 : s.contrastive_weight,
      temperature: s.contrastive_temp,
      teacherKeys: s.contrastive_teacher,
    },
    clip: s.clip_grad,
  });
}

/** What the reference tells of a step. */
function fieldsOf(outputs: StepOutputs) {
  const { metrics, contrastive, koleo } = outputs;
  return { metrics, contrastive: contrastive!.loss, accuracy: contrastive!.accuracy, koleo };
}

/** Metrics and norms of every step, and the weights at the end. */
export async function runTerms(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const config = doc.config as unknown as Config;
  const names = doc.grad_norm_names as string[];
  const images = ["global", "local"].map((name) => givenFloats(tensors, name));
  const views = crops(gpu, tensors);
  const trainer = trainerOf(gpu, config);
  trainer.load(group(tensors, "in.student."));
  const program = await record(gpu, () => trainer.step(views));
  const expected: Record<string, number[]> = {}, norms: number[] = [];
  const add = (name: string, value: number) => (expected[name] ??= []).push(value);
  try {
    for (const [step, lr] of config.lr.entries()) {
      views.forEach((view, i) =>
        view.write(images[i].subarray(step * view.size, (step + 1) * view.size))
      );
      const { weight_decay: weightDecay, momentum_teacher: momentum, teacher_temp } = config;
      const freezeLastLayer = step < (config.settings.freeze_last_layer ?? 1);
      trainer.set({ step, lr, weightDecay, momentum, teacherTemp: teacher_temp, freezeLastLayer });
      program.run();
      const chunks = program.outputs.norms;
      const told = Object.entries(fieldsOf(program.outputs))
        .flatMap(([name, tensor]) => tensor ? [{ name, tensor }] : []);
      const values = await gpu.read([
        ...told.map(({ tensor }) => tensor),
        ...chunks.map((chunk) => chunk.norms),
      ]);
      const of = new Map(told.map(({ name }, i) => [name, values[i]]));
      const metrics = of.get("metrics")!;
      if (config.settings.objective === "dino") {
        const { teacher_entropy_of_mean: _, ...fields } = metricFields(metrics);
        for (const [name, value] of Object.entries(fields)) add(name, value);
      } else add("loss", metrics[0]);
      add("contrastive", of.get("contrastive")![0]);
      add("contrastive_accuracy", of.get("accuracy")![0]);
      if (of.has("koleo")) add("koleo", of.get("koleo")![0]);
      const byName = new Map(
        chunks.flatMap((chunk, c) =>
          chunk.names.map((name, i) => [name, values[told.length + c][i]] as const)
        ),
      );
      norms.push(...names.map((name) => byName.get(name) ?? NaN));
    }
    const groups: [string, ReadonlyMap<string, Float32Array>][] = [
      ["student", await trainer.student.save()],
      ["teacher", await trainer.teacher?.save() ?? new Map()],
    ];
    const trained = trainer.student.all.filter(({ grad }) => grad).map(({ name }) => name);
    return {
      tensors: new Map<string, ArrayLike<number>>([
        ["grad_norms", norms],
        ...groups.flatMap(([prefix, values]) =>
          [...values].map(([name, value]) => [`${prefix}.${name}`, value] as const)
        ),
      ]),
      fields: { expected, grad_norm_names: trained },
    };
  } finally {
    for (const part of [program, ...views, trainer]) part.destroy();
  }
}
