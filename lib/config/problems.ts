/**
 * What is wrong with a configuration, gathered and shown: however much it is, the first of it on a screen.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { label } from "./describe.ts";

/** What may have been meant by an unknown name. */
export interface Hint {
  /** What is wrong, and what may be meant. */
  text: string;
  /** The keys and tables that it may stand for: nothing is certain about their values. */
  keys: string[];
}

/** What is wrong: in words, or as a hint that is worked out only when it is shown. */
export type What = string | (() => Hint);

/** Takes one thing that is wrong: its place, the key (or section, or "") and what it is. Rules leave the key alone. */
export type Report = (where: string, key: string, what: What) => void;

interface Problem {
  where: string;
  key: string;
  what: What;
}

/** Mistakes that are listed. */
const SHOWN = 20;
/** Characters of a message of the YAML reader, which may quote the text. */
const LONGEST = 200;

/** The problems of a text and a command line. */
export class Problems {
  readonly #all: Problem[] = [];
  readonly #wrong = new Set<string>();
  #hinted = 0;

  /** Takes one. */
  readonly report: Report = (where, key, what) => {
    this.#all.push({ where, key, what });
    this.#wrong.add(key.replace(/\[\d+\]$/, "")); // an item is wrong, and so is its list
  };

  /** True where more is wrong than is shown, or the text could not be read: nothing else needs to be looked for. */
  get enough(): boolean {
    return this.#all.length > SHOWN || this.#wrong.has("");
  }

  /** True when the key, or one of the sections around it, is wrong or may be meant by one that is. */
  isWrong(key: string): boolean {
    for (; this.#hinted < this.#all.length; this.#hinted++) {
      const problem = this.#all[this.#hinted];
      for (const one of hintOf(problem).keys) this.#wrong.add(one);
    }
    return key.split(".").some((_, i, parts) => this.#wrong.has(parts.slice(0, i + 1).join(".")));
  }

  /** One error with a line for each problem, by place; undefined where there is none. */
  error(): HatchlingError | undefined {
    const lines = this.lines();
    return lines.length ? new HatchlingError(lines.join("\n")) : undefined;
  }

  /** A line for each problem, by place. */
  lines(): string[] {
    const placed = this.#all.map((problem) => ({ problem, place: placeOf(problem.where) }));
    // The sort is stable, so equal places keep their order.
    placed.sort(({ place: a }, { place: b }) => a[0] === b[0] ? a[1] - b[1] : a[0] - b[0]);
    const lines = placed.slice(0, SHOWN).map(({ problem }) => lineOf(problem));
    const more = placed.length - lines.length;
    if (more > 0) lines.push(`and ${more.toLocaleString("en")} more`);
    return lines;
  }
}

/** A hint is worked out once. */
function hintOf(problem: Problem): Hint {
  if (typeof problem.what === "string") return { text: problem.what, keys: [] };
  const hint = problem.what();
  problem.what = () => hint;
  return hint;
}

function lineOf(problem: Problem): string {
  const { where, key } = problem;
  const name = label(key);
  const own = key === "" || where === `--${name}`;
  let { text } = hintOf(problem);
  if (key === "" && text.length > LONGEST) text = `${text.slice(0, LONGEST).toWellFormed()}…`;
  return `${where}: ${own ? "" : `${name}: `}${shown(text)}`;
}

/** Line and column; the command line's come behind the file's. */
function placeOf(where: string): [number, number] {
  const match = where.startsWith("--") ? null : /:(\d+):(\d+)$/.exec(where);
  return match ? [Number(match[1]), Number(match[2])] : [Infinity, 0];
}
