/**
 * Whose figures an evaluation holds: the names of its encoders, sorted by what they may be compared with.
 *
 * @module
 */

/** A figure of an evaluation. */
export interface EvaluationFigure {
  /** What was measured, "view retrieval R@1" for instance. */
  metric: string;
  /** Whose features; by default the teacher's. */
  encoder?: string;
  /** A share in percent. */
  percent?: number;
  /** What is no share. */
  value?: number;
}

/** Shares of one encoder. */
export interface Readout {
  /** As the evaluation calls it. */
  encoder: string;
  /** A model, the same model before training, or the picture's own pixels. */
  kind: "model" | "untrained" | "pixels";
  /** Whose weights: "teacher", "student at step 500". */
  of: string;
  /** What of it was read out, "grid" for instance; "", in older evaluations, for the class token. */
  how: string;
  /** Whether it is whitened: only compared with what is too. */
  whitened: boolean;
  /** Percent by metric. */
  shares: Map<string, number>;
}

const PIXELS = /^raw pixels/i, UNTRAINED = /^(random init|untrained)/i;
const WHITENED = /,?\s*\bwhitened\b,?/i;

/** The encoders of an evaluation, in its order. */
export function readoutsOf(figures: readonly EvaluationFigure[]): Readout[] {
  const found = new Map<string, Readout>();
  for (const { encoder = "teacher", metric, percent } of figures) {
    let readout = found.get(encoder);
    if (!readout) found.set(encoder, readout = parse(encoder));
    if (typeof percent === "number" && !readout.shares.has(metric)) {
      readout.shares.set(metric, percent);
    }
  }
  return [...found.values()];
}

/** "teacher (grid, whitened)" is the teacher's grid, whitened. */
function parse(encoder: string): Readout {
  const kind = PIXELS.test(encoder) ? "pixels" : UNTRAINED.test(encoder) ? "untrained" : "model";
  const [, of, more = ""] = encoder.match(/^([^]*?)\s*(?:[(,]\s*([^]*?)\s*\)?)?$/)!;
  const whitened = WHITENED.test(encoder);
  const plain = (text: string) => text.replace(WHITENED, " ").trim();
  return { encoder, kind, of: plain(of), how: plain(more), whitened, shares: new Map() };
}

/** One readout of one network, as names of encoders say it: of "teacher" the "grid, whitened". */
export interface OneReadout {
  /** Whose weights. */
  of: string;
  /** What of it. */
  readout: string;
}

/** The readouts of the network that counts: the teacher at its newest, else the student, else the first. */
export function ownReadouts(all: readonly Readout[], only?: OneReadout): Readout[] {
  const models = all.filter(({ kind }) => kind === "model");
  if (only) {
    const { how, whitened } = parse(`${only.of} (${only.readout})`);
    return models.filter((one) =>
      one.of === only.of && one.whitened === whitened && (one.how || "class") === how
    );
  }
  const who = ["teacher", "student"].find((name) => models.some(({ of }) => of === name)) ??
    models[0]?.of;
  return models.filter(({ of }) => of === who);
}
