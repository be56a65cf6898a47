import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../lib/errors.ts";
import { philox, Rng } from "../lib/rng.ts";

const hex = (words: Uint32Array) =>
  [...words].map((w) => w.toString(16).padStart(8, "0")).join(" ");

Deno.test("philox() gives the known answers of Random123", () => {
  const ones = 0xffffffff;
  assert.equal(hex(philox([0, 0, 0, 0], [0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  assert.equal(
    hex(philox([ones, ones, ones, ones], [ones, ones])),
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  );
  assert.equal(
    hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

Deno.test("philox() equals 64-bit integer arithmetic when given any counter and key", () => {
  const word = fc.nat({ max: 0xffffffff });
  const reference = (c: number[], k: number[]): string => {
    let [x0, x1, x2, x3] = c.map(BigInt), [k0, k1] = k.map(BigInt);
    const mask = 0xffffffffn;
    for (let round = 0; round < 10; round++) {
      const p0 = 0xd2511f53n * x0, p1 = 0xcd9e8d57n * x2;
      [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask];
      k0 = (k0 + 0x9e3779b9n) & mask;
      k1 = (k1 + 0xbb67ae85n) & mask;
    }
    return hex(Uint32Array.from([x0, x1, x2, x3].map(Number)));
  };
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (c, k) => {
      assert.equal(hex(philox(c, k)), reference(c, k));
    }),
    { numRuns: 300, seed: 1 },
  );
});

Deno.test("Rng gives pinned numbers, so that a change of addressing is noticed", () => {
  const rng = new Rng(42, 3, 17, 1);
  // The address as it is documented: block, then the stream; the seed and the stream's length as key.
  const expected = philox([0, 3, 17, 1], [42, 3 << 24]);
  for (const word of expected) assert.equal(rng.u32(), word);
  assert.equal(rng.u32(), philox([1, 3, 17, 1], [42, 3 << 24])[0]);
});

Deno.test("Rng gives different sequences when any part of the address differs", () => {
  const addresses = [
    [0],
    [1],
    [2 ** 32],
    [2 ** 52],
    [2 ** 53 - 1],
    [0, 0],
    [0, 1],
    [0, 1, 0],
    [0, 0, 1],
    [0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 1, 0],
    [0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0xffffffff],
  ];
  const first = addresses.map(([seed, ...stream]) => {
    const rng = new Rng(seed, ...stream);
    return `${rng.u32()} ${rng.u32()}`;
  });
  assert.equal(new Set(first).size, addresses.length);
});

Deno.test("Rng throws when the seed or a stream number is out of range", () => {
  for (const seed of [-1, 0.5, 2 ** 53, NaN]) assert.throws(() => new Rng(seed), HatchlingError);
  for (const word of [-1, 0.5, 2 ** 32, NaN]) assert.throws(() => new Rng(0, word), HatchlingError);
});

Deno.test("Rng.uniform() stays in [a, b) and has the right mean and variance", () => {
  const rng = new Rng(7), n = 20000;
  let sum = 0, squares = 0;
  for (let i = 0; i < n; i++) {
    const x = rng.uniform(-2, 4);
    assert.ok(x >= -2 && x < 4);
    sum += x;
    squares += x * x;
  }
  const mean = sum / n, variance = squares / n - mean * mean;
  assert.ok(Math.abs(mean - 1) < 5 * Math.sqrt(3 / n), `mean ${mean}`); // variance 36 / 12 = 3
  assert.ok(Math.abs(variance - 3) < 5 * 3 * Math.sqrt(0.8 / n), `variance ${variance}`);
  assert.equal(new Rng(7).uniform(3, 3), 3);
});

Deno.test("Rng.int() is uniform when n does not divide 2^32", () => {
  const rng = new Rng(8), n = 7, draws = 21000, counts = new Array(n).fill(0);
  for (let i = 0; i < draws; i++) counts[rng.int(n)]++;
  const chi2 = counts.reduce((s, c) => s + (c - draws / n) ** 2 / (draws / n), 0);
  assert.ok(chi2 < 22.5, `chi-square ${chi2} of 6 degrees of freedom (p < 0.001)`);
  // 3·2^30 rejects a quarter of all draws; taken modulo without rejection, the low third is doubled.
  const big = 3 * 2 ** 30;
  let low = 0;
  for (let i = 0; i < 6000; i++) if (rng.int(big) < 2 ** 30) low++;
  assert.ok(Math.abs(low - 2000) < 5 * Math.sqrt(6000 * 2 / 9), `${low} of 6000 in the low third`);
  assert.equal(rng.int(1), 0);
  assert.ok(rng.int(2 ** 32) < 2 ** 32);
  for (const bad of [0, -1, 1.5, 2 ** 33]) assert.throws(() => rng.int(bad), HatchlingError);
});

Deno.test("Rng.normal() has mean 0, variance 1 and the tails of a normal distribution", () => {
  const rng = new Rng(9), n = 20000;
  let sum = 0, squares = 0, beyond = 0;
  for (let i = 0; i < n; i++) {
    const x = rng.normal();
    sum += x;
    squares += x * x;
    if (Math.abs(x) > 1.959964) beyond++;
  }
  assert.ok(Math.abs(sum / n) < 5 / Math.sqrt(n), `mean ${sum / n}`);
  assert.ok(Math.abs(squares / n - 1) < 5 * Math.sqrt(2 / n), `variance ${squares / n}`);
  assert.ok(Math.abs(beyond / n - 0.05) < 5 * Math.sqrt(0.05 * 0.95 / n), `tails ${beyond / n}`);
});

Deno.test("Rng.bernoulli() is never true for 0, always for 1, and takes one draw", () => {
  const rng = new Rng(10), other = new Rng(10);
  let hits = 0;
  for (let i = 0; i < 5000; i++) if (rng.bernoulli(0.3)) hits++;
  assert.ok(Math.abs(hits - 1500) < 5 * Math.sqrt(5000 * 0.21), `${hits} hits`);
  for (let i = 0; i < 100; i++) {
    assert.equal(rng.bernoulli(0), false);
    assert.equal(rng.bernoulli(1), true);
  }
  for (let i = 0; i < 5200; i++) other.u32();
  assert.equal(rng.u32(), other.u32());
});

Deno.test("Rng.permutation() holds every index once and differs between epochs", () => {
  for (const n of [0, 1, 2, 500]) {
    const order = new Rng(11, 0).permutation(n);
    assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: n }, (_, i) => i));
  }
  assert.notDeepEqual(new Rng(11, 0).permutation(500), new Rng(11, 1).permutation(500));
  assert.deepEqual(new Rng(11, 1).permutation(500), new Rng(11, 1).permutation(500));
  // All six orders of three are equally likely.
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 3000; epoch++) {
    const key = new Rng(12, epoch).permutation(3).join("");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const [key, count] of counts) assert.ok(Math.abs(count - 500) < 110, `${key}: ${count}`);
});
