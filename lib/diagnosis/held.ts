/**
 * Hysteresis: what single looks say counts once it has held.
 *
 * A pure function of the sequence: whoever has the same looks, while a run goes on or from its files, gets the
 * same answer; and as a state has to hold before it takes another one's place, two changes lie as far apart.
 *
 * @module
 */

/** A moment at which something may be judged. */
export interface Moment {
  /** Steps done. */
  step: number;
}

/** How long a state has to hold. */
export interface Hold {
  /** So many looks in a row. */
  looks: number;
  /** From the first to the last of them at least so many steps. */
  steps: (step: number) => number;
}

/** What holds, and what the looks since say, if that is something else. */
export interface Held<T> {
  /** The newest look of the state that holds; undefined when none has ever held. */
  holds?: T;
  /** The newest look, where it says something else. */
  next?: T;
  /** Since which step looks say that. */
  since?: number;
}

/**
 * Finds the newest state that has held.
 *
 * @param moments In order, each judged when it is needed: usually only the newest few are.
 * @param judge What the moment of an index shows.
 */
export function held<T extends { verdict: string }>(
  moments: readonly Moment[],
  judge: (index: number) => T,
  { looks, steps }: Hold,
): Held<T> {
  let end: T | undefined, newest: T | undefined; // of the row of equal ones, of all
  let count = 0, until = 0, since = 0;
  for (let i = moments.length - 1; i >= 0; i--) {
    const one = judge(i), { step } = moments[i];
    if (one.verdict !== end?.verdict) [end, until, count] = [one, step, 0];
    newest ??= one;
    if (end === newest) since = step;
    if (++count >= looks && until - step >= steps(until)) {
      return end === newest ? { holds: end } : { holds: end, next: newest, since };
    }
  }
  return newest ? { next: newest, since } : {};
}

/** Steps between two looks: a hundredth of all so far, but these at least and at most. */
const SHARE = 0.01, LEAST = 10, MOST = 100;

/** How long a state of the curves has to hold. */
export const HOLD: Hold = {
  looks: 5,
  steps: (step) => 5 * Math.min(MOST, Math.max(LEAST, SHARE * step)),
};

/**
 * The lines that are looked at: the first of every so many steps. Which ones does not depend on how many lines
 * there are, so that what was said of a line stays.
 *
 * @returns Their indices.
 */
export function looksOf(lines: readonly Moment[]): number[] {
  const indices: number[] = [];
  lines.forEach((line, i) => {
    if (i === 0 || stretchOf(line.step) !== stretchOf(lines[i - 1].step)) indices.push(i);
  });
  return indices;
}

/** The number of the stretch of steps that a step lies in: of one length, then growing, then of one length. */
function stretchOf(step: number): number {
  const from = LEAST / SHARE, to = MOST / SHARE;
  const grown = Math.log(Math.min(to, Math.max(from, step)) / from) / SHARE;
  return Math.floor(Math.min(from, step) / LEAST + grown + Math.max(0, step - to) / MOST);
}
