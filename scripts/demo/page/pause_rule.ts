/**
 * When a run should rest: nobody looks, or the battery pays for it.
 *
 * @module
 */
import type { Speed } from "../protocol.ts";

/** A battery, as Chromium tells of it. */
export interface Battery {
  /** Whether it is being charged, or there is none. */
  charging: boolean;
  /** From 0 to 1. */
  level: number;
}

/** Below this a run rests until there is power. */
export const LOW = 0.2;

/** What decides. */
export interface Circumstances {
  /** Whether the user wants it to run. */
  wanted: boolean;
  /** Whether the tab is hidden. */
  hidden: boolean;
  /** Whether it is to go on then. */
  evenHidden: boolean;
  /** The battery, where the browser tells of it. */
  battery?: Battery;
}

/** How fast a run goes, and why not faster. */
export function speedOf(
  { wanted, hidden, evenHidden, battery }: Circumstances,
): { speed: Speed; why?: string } {
  if (!wanted) return { speed: "pause" };
  if (hidden && !evenHidden) return { speed: "pause", why: "paused while this tab is hidden" };
  if (battery && !battery.charging) {
    const percent = Math.round(100 * battery.level);
    return battery.level < LOW
      ? { speed: "pause", why: `paused: the battery is at ${percent} %; it goes on with power` }
      : { speed: "slow", why: `slower, to spare the battery (${percent} %)` };
  }
  return { speed: "run" };
}
