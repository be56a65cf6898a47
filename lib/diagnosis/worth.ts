/**
 * What features are worth: the figures of an evaluation beside raw pixels and the same model untrained, in words.
 *
 * Like is compared with like: plain features with plain pixels, whitened ones with whitened pixels, and what was
 * read out with the same of the untrained model. Of several readouts the one that stands best beside its like is
 * told, of equal ones the one with the higher figures, and which one it is.
 *
 * @module
 */
import { shown } from "../text.ts";
import {
  type EvaluationFigure,
  type OneReadout,
  ownReadouts,
  type Readout,
  readoutsOf,
} from "./readouts.ts";

/** What an evaluation says of the features. */
export type WorthVerdict = "useful" | "useful in part" | "not useful yet" | "not compared";

/**
 * What features are worth.
 *
 * @category Evaluation
 */
export interface Worth {
  /** The answer; "not compared" without raw pixels beside them. */
  verdict: WorthVerdict;
  /** What it rests on, in one sentence with numbers: the comparison with raw pixels, where there is one. */
  text: string;
  /** The other comparison, mostly that with the same model untrained; "" where there is none. */
  more: string;
  /** What was read out, as far as names of encoders tell: "grid, whitened". */
  readout: string;
  /** All that was read out. */
  measured: string[];
  /** What the configuration reads out, where that is something else and does not stand as well; else "". */
  configured: string;
}

/** Figures that tell most, and what each is about; of several numbers of neighbours the first counts. */
const TASKS: [RegExp, (name: string) => string][] = [
  [/^[^]+ → [^]+ R@1$/, () => "finding the same picture in another drawing"],
  [/^view retrieval R@1$/, () => "finding a picture again by a crop of it"],
  [/^([^]+) k-NN \(k \d+\)$/, (kind) => `telling ${shown(kind)} by the nearest neighbours`],
];

/** Most figures in a sentence; pictures that are judged, where nobody knows how many. */
const MOST_TASKS = 4, PICTURES = 1000;

/** One figure beside another one, in percent. */
export interface Pair {
  /** What it is about. */
  task: string;
  /** Its name. */
  metric: string;
  own: number;
  other: number;
  /** 1 better, −1 worse, 0 neither. */
  sign: number;
}

/**
 * Weighs the figures of an evaluation.
 *
 * A difference counts when it is larger than its standard error, √((p(1−p) + q(1−q)) / n) for shares p and q of n
 * pictures. Features are useful when they are better than raw pixels in one figure and worse in none; in part,
 * when they are only better in some, or when the configuration reads out others that are not.
 *
 * @param figures Of all encoders: the model's, "raw pixels" and "random init", each also "whitened".
 * @param options `pictures`: how many were judged, by default 1,000; `only`: one readout instead of the best;
 * `feature` and `whiten`: what the configuration reads out.
 * @returns Undefined when there is no figure of a model that tells something.
 *
 * @example
 * ```ts
 * import { weigh } from "@hatchling/hatchling/diagnosis";
 *
 * const metric = "view retrieval R@1";
 * const worth = weigh([
 *   { metric, encoder: "teacher", percent: 2 },
 *   { metric, encoder: "raw pixels", percent: 20 },
 * ]);
 * console.assert(worth?.verdict === "not useful yet");
 * ```
 *
 * @category Evaluation
 */
export function weigh(
  figures: readonly EvaluationFigure[],
  { pictures = PICTURES, only, feature, whiten = false }: {
    pictures?: number;
    only?: OneReadout;
    feature?: string;
    whiten?: boolean;
  } = {},
): Worth | undefined {
  const all = standings(figures, { pictures, only }), best = all[0]?.worth;
  if (!best) return;
  const own = all.find(({ readout: { how, whitened } }) =>
    (how || "class") === feature && whitened === whiten
  );
  const differs = own && own.worth.verdict !== best.verdict;
  return {
    ...best,
    // Whoever takes the features as they are configured does not get the best.
    verdict: differs && best.verdict === "useful" ? "useful in part" : best.verdict,
    measured: all.map(({ worth }) => worth.readout),
    configured: differs ? `as it is configured, ${worthLine(own.worth)}` : "",
  };
}

/** A readout beside its like. */
export interface Standing {
  /** What was read out of which network. */
  readout: Readout;
  /** What its figures say. */
  worth: Worth;
  /** The figures that decide, beside those of raw pixels that were treated alike; none where there are no such. */
  pixels: readonly Pair[];
  /** The figures that decide, in percent by metric. */
  own: ReadonlyMap<string, number>;
}

/**
 * Every readout of the network that counts, the best first: by its verdict, then by the mean of the figures that
 * decide. See {@linkcode weigh}.
 */
export function standings(
  figures: readonly EvaluationFigure[],
  { pictures = PICTURES, only }: { pictures?: number; only?: OneReadout } = {},
): Standing[] {
  const all = readoutsOf(figures);
  const found = ownReadouts(all, only).flatMap((readout): Standing[] => {
    const worth = weighOne(readout, all, pictures, !only);
    const own = new Map(tasksOf(readout).map(({ metric, percent }) => [metric, percent]));
    const pixels = beside(readout, likes(readout, all, "pixels"), pictures);
    return worth ? [{ readout, worth, pixels, own }] : [];
  });
  const rank = ({ worth }: Standing) => RANK.indexOf(worth.verdict);
  const level = ({ own }: Standing) => mean([...own.values()]);
  return found.sort((a, b) => rank(b) - rank(a) || level(b) - level(a));
}

/**
 * The worth of features in one line.
 *
 * @category Evaluation
 */
export function worthLine({ verdict, text }: Worth): string {
  return verdict === "not compared" ? text : `${text}: ${verdict}`;
}

/** From the worst that is known. */
const RANK: WorthVerdict[] = ["not compared", "not useful yet", "useful in part", "useful"];

function weighOne(
  own: Readout,
  all: readonly Readout[],
  pictures: number,
  named: boolean,
): Worth | undefined {
  const pixels = beside(own, likes(own, all, "pixels"), pictures);
  const before = beside(own, likes(own, all, "untrained"), pictures);
  const readout = [own.how, own.whitened && "whitened"].filter(Boolean).map((part) =>
    shown(String(part))
  ).join(", ");
  const lead = named && readout && `read out as ${readout}: `;
  const untrained = phrase(before, "the same model untrained");
  const learned = !before.length || before.some(({ sign }) => sign > 0);
  const made = (verdict: WorthVerdict, text: string, more = untrained): Worth => {
    return {
      verdict,
      text: (lead || "") + text,
      more,
      readout,
      measured: [readout],
      configured: "",
    };
  };
  if (!pixels.length) {
    const tasks = tasksOf(own);
    if (!tasks.length) return;
    const told = tasks.map(({ task, percent }) => `${task} ${percent.toFixed(1)} %`).join(", ");
    const nothing = tasks.every(({ percent }) => percent < 0.05);
    if (nothing || !learned) return made("not useful yet", told);
    return made("not compared", `${told}; not compared with raw pixels`);
  }
  const better = pixels.some(({ sign }) => sign > 0), worse = pixels.some(({ sign }) => sign < 0);
  const verdict = !better || !learned ? "not useful yet" : worse ? "useful in part" : "useful";
  const than = own.whitened ? "raw pixels whitened alike" : "raw pixels";
  const text = phrase(pixels, than);
  return better && !learned ? made(verdict, untrained, text) : made(verdict, text);
}

/** "worse than raw pixels at A (4.0 % against 20.0 %) and B (…); better at C (…)". */
function phrase(pairs: readonly Pair[], than: string): string {
  let named = false;
  const said: string[] = [];
  for (const [sign, word, link] of WORDS) {
    const of = pairs.filter((pair) => pair.sign === sign);
    if (!of.length) continue;
    const list = of.map(({ task, own, other }) => {
      return `${task} (${own.toFixed(1)} % against ${other.toFixed(1)} %)`;
    });
    const told = list.length < 2 ? list[0] : `${list.slice(0, -1).join(", ")} and ${list.at(-1)}`;
    said.push(`${word}${named ? "" : ` ${link} ${than}`} at ${told}`);
    named = true;
  }
  return said.join("; ");
}

const WORDS = [[-1, "worse", "than"], [1, "better", "than"], [0, "about as good", "as"]] as const;

/** What is like a readout; of several kinds of pixels the best counts. */
function likes(own: Readout, all: readonly Readout[], kind: "pixels" | "untrained"): Readout[] {
  return all.filter((other) =>
    other.kind === kind && other.whitened === own.whitened &&
    (kind === "pixels" || other.how === own.how)
  );
}

/** The figures that tell most, beside the same ones of others. */
function beside(own: Readout, others: readonly Readout[], pictures: number): Pair[] {
  return tasksOf(own).flatMap(({ task, metric, percent }): Pair[] => {
    const known = others.flatMap(({ shares }) => shares.get(metric) ?? []);
    if (!known.length) return [];
    const other = Math.max(...known);
    const variance = [percent, other].reduce((sum, p) => sum + p * (100 - p), 0) / pictures;
    const apart = Math.abs(percent - other) > Math.max(0.05, Math.sqrt(Math.max(0, variance)));
    return [{ task, metric, own: percent, other, sign: apart ? Math.sign(percent - other) : 0 }];
  });
}

function tasksOf({ shares }: Readout): { task: string; metric: string; percent: number }[] {
  const found = new Map<string, { task: string; metric: string; percent: number }>();
  for (const [pattern, words] of TASKS) {
    for (const [metric, percent] of shares) {
      const match = metric.match(pattern);
      const task = match && words(match[1] ?? "");
      if (task && !found.has(task)) found.set(task, { task, metric, percent });
    }
  }
  return [...found.values()].slice(0, MOST_TASKS);
}

function mean(values: readonly number[]): number {
  return values.length ? values.reduce((a, b) => a + b) / values.length : 0;
}
