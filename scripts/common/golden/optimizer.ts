/**
 * Cases adamw_*, optim_*, clip_* and ema_*: what happens between gradients and the next weights.
 *
 * @module
 */
import { type Gpu, StepScalars } from "../../../lib/gpu.ts";
import { emaUpdate } from "../../../lib/ema.ts";
import { Parameters } from "../../../lib/model.ts";
import {
  AdamW,
  clipFactors,
  type ClipMode,
  optimizerOf,
  type OptimizerSettings,
} from "../../../lib/optim.ts";
import { isDecayed } from "../../../lib/optim/optimizer.ts";
import { type Case, group } from "./case.ts";
import type { Results } from "./compare.ts";

type Shapes = Record<string, number[]>;

function parameters(gpu: Gpu, shapes: Shapes, grad: boolean): Parameters {
  const init = { constant: 0 };
  const specs = Object.entries(shapes).map(([name, shape]) => ({ name, shape, init }));
  return new Parameters(gpu, specs, { grad });
}

/** The map's entries under `prefix` + name. */
function prefixed(prefix: string, values: ReadonlyMap<string, Float32Array>) {
  return [...values].map(([name, value]): [string, Float32Array] => [prefix + name, value]);
}

interface AdamWConfig {
  shapes: Shapes;
  lr: number[];
  wd: number[];
  betas: [number, number];
  eps: number;
  /** Steps in which a parameter gets no gradient. */
  frozen: Record<string, number[]>;
}

/** Parameters after every step, moments and step counts at the end. */
export async function runAdamW(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const { shapes, lr, wd, betas, eps, frozen } = doc.config as unknown as AdamWConfig;
  const names = Object.keys(shapes);
  const weights = parameters(gpu, shapes, true);
  weights.load(group(tensors, "in.param."));
  // every parameter is a group of its own, since each may be frozen by itself
  const adamw = new AdamW(gpu, weights, { betas, eps, group: (name) => names.indexOf(name) });
  const out = new Map<string, Float32Array>();
  try {
    for (let t = 0; t < lr.length; t++) {
      const still = names.filter((name) => frozen[name]?.includes(t));
      for (const [name, gradient] of group(tensors, `in.grad.${t}.`)) {
        weights.get(name).grad!.write(gradient);
      }
      adamw.set({
        lr: lr[t],
        weightDecay: wd[t],
        frozen: still.map((name) => names.indexOf(name)),
      });
      gpu.scope(() => adamw.step(clipFactors(gpu, weights, 0)));
      for (const [name, value] of prefixed(`param.${t}.`, await weights.save())) {
        out.set(name, value);
      }
    }
    const saved = await adamw.save();
    const moments = [...saved].flatMap(([name, values]) => prefixed(`${name}.`, values));
    return {
      tensors: new Map([...out, ...moments]),
      fields: {
        expected: { step_count: Object.fromEntries(names.map((n, i) => [n, adamw.counts[i]])) },
        decayed: Object.fromEntries(names.map((name) => [name, isDecayed(name, shapes[name])])),
      },
    };
  } finally {
    for (const part of [weights, adamw]) part.destroy();
  }
}

interface OptimConfig {
  shapes: Shapes;
  steps: number;
  weight_decay: number;
  optimizer: OptimizerSettings["kind"];
  options: OptimizerSettings;
  /** Steps in which a parameter gets no gradient. */
  frozen: Record<string, number[]>;
}

/** Parameters after every fifth step, moments and step counts at the end, of any optimiser. */
export async function runOptim(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const { shapes, steps, frozen, ...config } = doc.config as unknown as OptimConfig;
  const lr = doc.lr as number[], names = Object.keys(shapes);
  const weights = parameters(gpu, shapes, true);
  weights.load(group(tensors, "in.param."));
  const settings = { ...config.options, kind: config.optimizer } as OptimizerSettings;
  const optimizer = optimizerOf(gpu, weights, settings, (name) => names.indexOf(name));
  const out = new Map<string, Float32Array>();
  try {
    for (let t = 0; t < steps; t++) {
      const still = names.filter((name) => frozen[name]?.includes(t));
      for (const [name, gradient] of group(tensors, `in.grad.${t}.`)) {
        weights.get(name).grad!.write(gradient);
      }
      optimizer.set({
        lr: lr[t],
        weightDecay: config.weight_decay,
        frozen: still.map((name) => names.indexOf(name)),
      });
      gpu.scope(() => optimizer.step(clipFactors(gpu, weights, 0)));
      if (t % 5 !== 4) continue;
      for (const [name, value] of prefixed(`param.${t}.`, await weights.save())) {
        out.set(name, value);
      }
    }
    const moments = await optimizer.save();
    const { counts } = optimizer;
    return {
      tensors: new Map([
        ...out,
        ...[...moments].flatMap(([name, values]) => prefixed(`${name}.`, values)),
      ]),
      fields: {
        expected: { step_count: Object.fromEntries(names.map((n, i) => [n, counts[i]])) },
        lr,
      },
    };
  } finally {
    for (const part of [weights, optimizer]) part.destroy();
  }
}

/** Norms, and gradients times their clip factors, which is how the optimiser applies them. */
export async function runClip(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const { clip, mode, grads } = doc.config as {
    clip: number;
    mode?: ClipMode;
    grads: Record<string, { shape: number[] }>;
  };
  const shapes = Object.fromEntries(
    Object.entries(grads).map(([name, { shape }]) => [name, shape]),
  );
  const weights = parameters(gpu, shapes, true);
  const given = group(tensors, "in.grad.");
  for (const [name, gradient] of given) weights.get(name).grad!.write(gradient);
  const chunks = gpu.scope(() => clipFactors(gpu, weights, clip, mode));
  const out = new Map<string, Float32Array>();
  const norms: Record<string, number> = {};
  try {
    for (const chunk of chunks) {
      const [norm, factor] = await gpu.read([chunk.norms, chunk.factors]);
      chunk.names.forEach((name, i) => {
        norms[name] = norm[i];
        out.set(`grad.${name}`, given.get(name)!.map((g) => g * factor[i]));
      });
    }
    return { tensors: out, fields: { expected: { norms } } };
  } finally {
    for (const part of [weights, ...chunks.flatMap((c) => [c.norms, c.factors])]) part.destroy();
  }
}

/** The teacher after every update. */
export async function runEma(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const { shapes, momentum } = doc.config as { shapes: Shapes; momentum: number[] };
  const [teacher, student] = [0, 1].map(() => parameters(gpu, shapes, false));
  teacher.load(group(tensors, "in.teacher."));
  const scalars = new StepScalars(gpu, ["momentum", "momentumRest"]);
  const out: [string, Float32Array][] = [];
  try {
    for (const [i, m] of momentum.entries()) {
      student.load(group(tensors, `in.student.${i}.`));
      scalars.write({ momentum: m, momentumRest: 1 - m });
      emaUpdate(gpu, teacher, student, scalars.at("momentum"));
      out.push(...prefixed(`teacher.${i}.`, await teacher.save()));
    }
    return { tensors: new Map(out) };
  } finally {
    for (const part of [teacher, student, scalars]) part.destroy();
  }
}
