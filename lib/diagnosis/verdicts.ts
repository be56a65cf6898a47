/**
 * What a diagnosis answers.
 *
 * @module
 */

/** What a run may suffer from, or that it does not. */
export type Verdict =
  | "healthy"
  | "useful in part"
  | "not useful yet"
  | "learning"
  | "too early to tell"
  | "collapse to one peak"
  | "collapse to uniform"
  | "falling feature rank"
  | "contrastive loss stuck"
  | "shortcut"
  | "collapse of patches"
  | "learning rate too high"
  | "not finite";

/** How a verdict is to be shown: green, neither, amber, red. */
export type Tone = "good" | "neutral" | "caution" | "trouble";

/** The state of a run on its curves alone. */
export interface Found {
  /** The state. */
  verdict: Verdict;
  /** Whether the curves are those of a run that goes wrong. */
  trouble: boolean;
  /** What the verdict rests on: sentences with numbers and steps. */
  evidence: string[];
  /** What to change first; empty without trouble. */
  remedy: string;
}

/** The state of a run that cannot be judged yet. */
export function early(...evidence: string[]): Found {
  return { verdict: "too early to tell", trouble: false, evidence, remedy: "" };
}
