import assert from "node:assert/strict";
import fc from "fast-check";
import { type Lifetime, planMemory } from "../../lib/gpu/plan.ts";

const lifetimes = fc.array(
  fc.record({ bytes: fc.integer({ min: 1, max: 64 }), a: fc.nat(30), b: fc.nat(30) })
    .map(({ bytes, a, b }): Lifetime => ({
      bytes: 16 * bytes,
      first: Math.min(a, b),
      last: Math.max(a, b),
    })),
  { maxLength: 40 },
);

Deno.test("planMemory() never lets overlapping lifetimes share a slot", () => {
  fc.assert(fc.property(lifetimes, (lives) => {
    const { slots, assignment } = planMemory(lives);
    assert.equal(assignment.length, lives.length);
    lives.forEach((one, i) => {
      assert.ok(slots[assignment[i]] >= one.bytes, `slot too small for temporary ${i}`);
      lives.slice(0, i).forEach((other, j) => {
        if (assignment[i] !== assignment[j]) return;
        assert.ok(one.last < other.first || other.last < one.first, `${i} and ${j} share a slot`);
      });
    });
  }));
});

Deno.test("planMemory() needs at least the peak of live bytes and at most their total", () => {
  fc.assert(fc.property(lifetimes, (lives) => {
    const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    const total = sum(planMemory(lives).slots);
    assert.ok(total <= sum(lives.map((l) => l.bytes)));
    for (let at = 0; at <= 30; at++) {
      const live = lives.filter((l) => l.first <= at && at <= l.last).map((l) => l.bytes);
      assert.ok(total >= sum(live), `less than what is live at ${at}`);
    }
  }));
});

Deno.test("planMemory() gives a chain two slots, however long", () => {
  const chain = Array.from({ length: 100 }, (_, i) => ({ bytes: 64, first: i, last: i + 1 }));
  assert.deepEqual(planMemory(chain).slots, [64, 64]);
});

Deno.test("planMemory() of nothing is nothing", () => {
  assert.deepEqual(planMemory([]), { slots: [], assignment: [] });
});
