/** Bank conflicts of attention's tiles, by the address arithmetic of the kernels' own text. */
import assert from "node:assert/strict";
import { TILED } from "../../lib/ops/attention/kernels.ts";
import { tileHeight } from "../../lib/ops/attention/variants.ts";

/** Bytes that workgroup memory serves at once, in 32 banks, and invocations that ask together. */
const SERVED = 128, WARP = 32;

/** All [ROWS, HEIGHT]. */
const SHAPES = [[4, 4], [4, 8], [4, 12], [4, 16], [8, 4], [8, 8]] as const;

type Env = Record<string, number>;

/** A WGSL expression of u32 as a function of its names; helpers may call each other. */
function evaluate(text: string, env: Env, helpers: Record<string, (...args: number[]) => number>) {
  const code = text.replace(/\b(\d+)u\b/g, "$1").replace(/\bhere\./g, "")
    .replace(/([\w)]+) \/ (\w+)/g, "Math.floor($1 / $2)");
  const names = { ...helpers, ...env };
  return Function(...Object.keys(names), `return ${code}`)(...Object.values(names)) as number;
}

/** `fn NAME(…) -> u32 { return …; }` of a kernel's text. */
function helper(code: string, name: string, env: Env) {
  const [, args, body] = code.match(
    new RegExp(`fn ${name}\\(([^)]*)\\) -> u32 \\{\\s*return ([^;]*);`),
  )!;
  const names = args.split(",").map((arg) => arg.split(":")[0].trim());
  return (...values: number[]) =>
    evaluate(body, { ...env, ...Object.fromEntries(names.map((n, i) => [n, values[i]])) }, {});
}

/** The arguments of every call of a function in a text. */
function calls(code: string, name: string): string[] {
  return [...code.matchAll(new RegExp(`(?<!fn )\\b${name}\\(([^()]*)\\)`, "g"))].map(([, a]) => a);
}

/**
 * Most turns that a warp's access needs beyond the fewest possible: `bytes` each, invocations of one turn in order,
 * equal addresses in one.
 */
function extraTurns(addresses: number[], bytes: number): number {
  const together = SERVED / bytes;
  let worst = 0;
  for (let first = 0; first < addresses.length; first += Math.min(together, WARP)) {
    const asked = new Set(addresses.slice(first, first + Math.min(together, WARP)));
    const banks = new Map<number, number>();
    for (const at of asked) banks.set(at % together, (banks.get(at % together) ?? 0) + 1);
    worst = Math.max(worst, Math.max(...banks.values()) - 1);
  }
  return worst;
}

Deno.test("a warp's accesses to attention's tiles never meet in a bank", () => {
  for (const [ROWS, HEIGHT] of SHAPES) {
    for (const [pass, { code, name }] of Object.entries(TILED)) {
      const text = code.replace(/\/\/.*/g, "");
      let met = 0;
      for (const [fn, bytes] of [["own_at", 16], ["other_at", 16], ["share_at", 4]] as const) {
        const at = helper(text, fn, { ROWS, HEIGHT });
        for (const args of calls(text, fn)) {
          // Loops over vec4s, rows and lanes; and staging, where row is the invocation's y and x its vec4.
          for (let turn = 0; turn < 8; turn++) {
            for (let warp = 0; warp < 8 * HEIGHT; warp += WARP) {
              const lanes = Array.from({ length: Math.min(WARP, 8 * HEIGHT) }, (_, i) => {
                const local = warp + i, x = local % 8, y = Math.floor(local / 8);
                const staged = args === "row, here.x";
                const env = { x, row: staged ? y : y * ROWS, c: turn, i: turn, r: turn % ROWS };
                return evaluate(`at(${args})`, { ...env, ROWS, HEIGHT }, { at });
              });
              met++;
              const where = `${name}: ${fn}(${args}), ${pass}, ROWS ${ROWS}, HEIGHT ${HEIGHT}`;
              assert.equal(extraTurns(lanes, bytes), 0, where);
            }
          }
        }
      }
      assert.ok(met > 100, `${name}: accesses were found`);
    }
  }
});

Deno.test("tiles leave few rows beyond a sequence", () => {
  const rows = (tokens: number, own: 4 | 8) => own * tileHeight(tokens, own);
  assert.deepEqual([5, 17, 37, 50, 65, 197].map((n) => rows(n, 4)), [16, 32, 48, 64, 48, 32]);
  assert.deepEqual([5, 17, 37, 50, 65, 197].map((n) => rows(n, 8)), [32, 32, 64, 64, 32, 32]);
  for (let tokens = 1; tokens <= 300; tokens++) {
    for (const own of [4, 8] as const) {
      const height = tileHeight(tokens, own);
      assert.ok(SHAPES.some(([r, h]) => r === own && h === height), `${tokens}: ${own}, ${height}`);
    }
  }
});

Deno.test("conflicts are found where they are", () => {
  assert.equal(extraTurns(Array.from({ length: 32 }, (_, i) => i), 4), 0);
  assert.equal(
    extraTurns(Array.from({ length: 32 }, () => 5), 16),
    0,
    "one address is a broadcast",
  );
  assert.equal(extraTurns(Array.from({ length: 32 }, (_, i) => 2 * i), 4), 1);
  assert.equal(
    extraTurns(Array.from({ length: 32 }, (_, i) => 8 * i), 16),
    7,
    "without the swizzle",
  );
});

Deno.test("attention's tiles keep within portable workgroup memory", () => {
  for (const [ROWS, HEIGHT] of SHAPES) {
    const own = 8 * ROWS * HEIGHT;
    assert.ok(16 * own + 16 * 256 + 4 * own <= 16384);
  }
});
