/**
 * Memory plan of a program: temporaries whose lifetimes do not overlap share a slot.
 *
 * Slots are whole buffers, not ranges of one: WebGPU tracks usage per buffer, so two temporaries of one
 * dispatch, one read and one written, may not lie in the same buffer.
 *
 * @module
 */

/** When a temporary is used: from its first to its last dispatch, both included. */
export interface Lifetime {
  /** Bytes that it needs. */
  bytes: number;
  /** Index of the first dispatch that uses it. */
  first: number;
  /** Index of the last one. */
  last: number;
}

/** The slots and who lives where. */
export interface Plan {
  /** Bytes of each slot. */
  slots: number[];
  /** Slot of each temporary, in the order given. */
  assignment: number[];
}

/**
 * Assigns temporaries to slots, largest first, each to the first slot that is free during its lifetime
 * ("greedy by size" of Pisarchyk and Lee 2020, arXiv:2001.03288).
 *
 * @example
 * ```ts
 * import { planMemory } from "./plan.ts";
 *
 * const plan = planMemory([
 *   { bytes: 64, first: 0, last: 1 },
 *   { bytes: 32, first: 1, last: 2 },
 *   { bytes: 16, first: 2, last: 3 },
 * ]);
 * console.assert(plan.slots.length === 2);
 * ```
 */
export function planMemory(lifetimes: readonly Lifetime[]): Plan {
  const order = lifetimes.map((_, i) => i).sort((a, b) =>
    lifetimes[b].bytes - lifetimes[a].bytes || a - b
  );
  const slots: number[] = [];
  const tenants: Lifetime[][] = [];
  const assignment = new Array<number>(lifetimes.length);
  for (const i of order) {
    const me = lifetimes[i];
    let slot = tenants.findIndex((others) =>
      others.every((o) => o.last < me.first || o.first > me.last)
    );
    if (slot < 0) {
      slot = slots.push(me.bytes) - 1;
      tenants.push([]);
    }
    tenants[slot].push(me);
    assignment[i] = slot;
  }
  return { slots, assignment };
}
