/**
 * A configuration in which settings are being chosen: what somebody has set stays, and what is chosen agrees with it.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { allKeys, valueAt } from "../config/describe.ts";

/** A value that can be chosen. */
export type Value = number | boolean | string;

/** One setting that was chosen. */
export interface Choice {
  /** Key of the configuration. */
  key: string;
  /** Its value. */
  value: Value;
  /** Why, in words. */
  reason: string;
}

/** What somebody has set, by key. */
export type Given = ReadonlyMap<string, unknown>;

/** A configuration with choices. */
export class Draft {
  /** As far as it is chosen. */
  config: Config;
  /** In the order in which they were made. */
  readonly choices: Choice[] = [];
  readonly #given: Given;

  /** Nothing is chosen yet. */
  constructor(config: Config, given: Given) {
    this.config = config;
    this.#given = given;
  }

  /** Another one that has come as far. */
  clone(): Draft {
    return new Draft(this.config, this.#given);
  }

  /** Whether somebody has set a key. */
  has(key: string): boolean {
    return this.#given.has(key);
  }

  /** The value of a key as it stands. */
  value<T = number>(key: string): T {
    return valueAt(this.config, key) as T;
  }

  /** Takes what is set, else the choice. */
  choose<T extends Value>(key: string, value: T, reason: string): T {
    if (this.#given.has(key)) return this.value<T>(key);
    this.choices.push({ key, value, reason });
    this.config = withValue(this.config, key, value, this.#given);
    return value;
  }

  /** Sets what follows from a choice, and is none by itself. */
  derive(key: string, value: Value): void {
    this.config = withValue(this.config, key, value, this.#given);
  }
}

/** A configuration with another value; what takes its value from that key follows it. */
export function withValue(config: Config, key: string, value: unknown, given: Given): Config {
  const old = valueAt(config, key);
  const heirs = allKeys().filter(({ path, inherits }) =>
    inherits === key && !given.has(path) && valueAt(config, path) === old
  );
  return [key, ...heirs.map(({ path }) => path)].reduce(
    (changed, path) => put(changed, path.split("."), value) as Config,
    config,
  );
}

function put(object: object, [name, ...rest]: string[], value: unknown): object {
  const inner = (object as Record<string, object>)[name];
  return { ...object, [name]: rest.length ? put(inner, rest, value) : value };
}
