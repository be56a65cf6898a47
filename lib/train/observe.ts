/**
 * What the host asks of the GPU while a run trains: one read, whatever it wants to know.
 *
 * @module
 */
import { featureStd, rankMe } from "../eval/rank.ts";
import type { Gpu } from "../gpu.ts";
import { partOf } from "../model/parts.ts";
import type { StepOutputs, Trainer } from "../train.ts";
import type { CanaryFault, StepCanaries } from "./canary.ts";

/** Most rows of features that are looked at: with 64 their rank costs a few milliseconds at most. */
const MOST_ROWS = 64;

/** The figures of the last step, under their names in metrics.jsonl. */
export interface Figures {
  /** The loss in nats: DINO's, or InfoNCE's where that is the objective. */
  loss: number;
  /** DINO's loss / ln K: 1 where teacher and student are uniform. */
  loss_over_ln_k?: number;
  /** Mean entropy of the teacher's distributions in nats. */
  teacher_entropy?: number;
  /** Entropy of their mean in nats. */
  teacher_entropy_of_mean?: number;
  /** Mean KL(teacher ‖ student) in nats. */
  kl_teacher_student?: number;
  /** InfoNCE in nats, without its weight. */
  contrastive?: number;
  /** Share of views whose own picture was the nearest of the batch. */
  contrastive_accuracy?: number;
  /** Loss of masked patches (iBOT) in nats, without its weight. */
  ibot?: number;
  /** Mean entropy of the teacher's distributions of masked patches in nats. */
  ibot_teacher_entropy?: number;
  /** Entropy of their mean in nats. */
  ibot_teacher_entropy_of_mean?: number;
  /** Gram anchoring's loss, without its weight. */
  gram?: number;
}

/**
 * How far the state has spread. On the host this costs about 2 ms with features of 384 dimensions, 3 ms with
 * 768, and 0.05 ms for 16 rows of 16: {@linkcode Observation.spreadTime} tells.
 */
export interface Spread {
  /** L2 norm of DINO's centre. */
  center_norm?: number;
  /**
   * Spread of the features that are trained, the teacher's where there is one: 0 collapsed, about 1 even. Of the first 64 rows at most: those of the
   * first global view, then of the second.
   */
  feature_std: number;
  /** Effective rank (RankMe) of the same rows, from 1 to their number or their dimension. */
  feature_rank: number;
  /** L2 norm of the gradient of all parameters, before clipping. */
  gradient_norm: number;
  /** The same by part of the model: `patch_embed`, `blocks.0`, …, `norm`, `head`. Frozen parts have none. */
  gradient_norms: Record<string, number>;
  /** KoLeo times its weight, where it is on. */
  koleo?: number;
}

/** A step whose numbers were not finite. */
export interface NonFiniteStep {
  /** The first one, from 0. */
  step: number;
  /** What held such a number. */
  what: string;
}

/** What one look finds. */
export interface Observation {
  /** The figures. */
  figures: Figures;
  /** The spread, when it was asked for. */
  spread?: Spread;
  /** Milliseconds that the host took to work out the spread, while the GPU had nothing to do. */
  spreadTime: number;
  /** Where numbers were not finite. */
  nonFinite?: NonFiniteStep;
  /** What canaries found wrong. */
  fault?: CanaryFault;
}

/** Reads the last step, and the flag that may be older, and what canaries left; `spread` asks for more than figures. */
export async function observe(
  gpu: Gpu,
  trainer: Trainer,
  { outputs, canaries }: { outputs: StepOutputs; canaries?: StepCanaries },
  spread: boolean,
): Promise<Observation> {
  const { metrics, contrastive, gram, ibot, koleo, norms: chunks } = outputs;
  const [count, dim] = [Math.min(MOST_ROWS, outputs.features.shape[0]), outputs.features.shape[1]];
  const features = outputs.features.view([count, dim]);
  const center = trainer.loss?.center;
  const asked = {
    ...{ metrics, flag: trainer.flag, contrastive: contrastive?.loss },
    ...{ accuracy: contrastive?.accuracy, ibot: ibot?.metrics, gram },
    ...spread && { center, features, koleo },
  };
  const there = Object.entries(asked).flatMap(([name, tensor]) => tensor ? [{ name, tensor }] : []);
  const norms = spread ? chunks.map(({ norms }) => norms) : [];
  const birds = canaries?.outputs ?? [];
  const all = await gpu.read([...there.map(({ tensor }) => tensor), ...norms, ...birds]);
  const values = all.slice(0, there.length + norms.length);
  const read = Object.fromEntries(there.map(({ name }, i) => [name, values[i]])) as {
    [K in keyof typeof asked]: Float32Array;
  };
  const [loss, teacher_entropy, teacher_entropy_of_mean, kl_teacher_student] = read.metrics;
  const found: Observation = {
    figures: {
      loss,
      ...center && {
        loss_over_ln_k: loss / Math.log(center.size),
        teacher_entropy,
        teacher_entropy_of_mean,
        kl_teacher_student,
      },
      ...contrastive && {
        contrastive: read.contrastive[0],
        contrastive_accuracy: read.accuracy[0],
      },
      ...ibot && {
        ibot: read.ibot[0],
        ibot_teacher_entropy: read.ibot[1],
        ibot_teacher_entropy_of_mean: read.ibot[2],
      },
      ...gram && { gram: read.gram[0] },
    },
    spreadTime: 0,
    fault: canaries?.check(all.slice(values.length)),
  };
  const [bad, culprit] = new Uint32Array(read.flag.buffer, read.flag.byteOffset, 3);
  if (bad) {
    const names = chunks.flatMap((chunk) => chunk.names);
    const what = culprit > 1 ? `the gradient of ${names[culprit - 2]}` : "the loss";
    found.nonFinite = { step: bad - 1, what };
  }
  if (spread) {
    const start = performance.now();
    const rows = read.features!;
    found.spread = {
      ...center && { center_norm: norm(read.center!) },
      feature_std: featureStd(rows, count, dim),
      feature_rank: rankMe(rows, count, dim),
      gradient_norm: Math.hypot(...values.slice(there.length).map(norm)),
      gradient_norms: normsByPart(trainer, chunks, values.slice(there.length)),
      ...koleo && { koleo: read.koleo![0] },
    };
    found.spreadTime = performance.now() - start;
  }
  return found;
}

/** Norms of tensors, by chunk, as norms of what they are parts of. */
function normsByPart(
  { student }: Trainer,
  chunks: StepOutputs["norms"],
  values: readonly Float32Array[],
): Record<string, number> {
  const parts: Record<string, number> = {};
  chunks.forEach(({ names }, i) =>
    names.forEach((name, j) => {
      if (!student.get(name).grad) return;
      const part = partOf(name);
      parts[part] = Math.hypot(parts[part] ?? 0, values[i][j]);
    })
  );
  return parts;
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
