/**
 * References of attention and of what belongs to it.
 *
 * @module
 */
import { Bounded, dot, exact, gamma, Sum } from "../bounded.ts";
import type { Fill, Given, Part, Reference } from "../reference.ts";

/** Where a query's, key's or value's head begins in qkv [B, N, 3·D], and in [B, N, D]. */
class Heads {
  readonly #g: Given;
  readonly tokens: number;
  readonly size: number;
  readonly scale: number;

  constructor(g: Given) {
    this.#g = g;
    this.tokens = g.p.tokens;
    this.size = g.p.head_dim;
    this.scale = Math.fround(g.p.scale);
  }

  /** Part 0 to 2 of qkv, of sequence s (batch and head) and token t. */
  at(part: number, s: number, t: number): number {
    const { heads, dim, tokens, head_dim } = this.#g.p;
    const row = Math.floor(s / heads) * tokens + t;
    return row * 3 * dim + part * dim + s % heads * head_dim;
  }

  /** In a tensor of tokens. */
  out(s: number, t: number): number {
    const { heads, dim, tokens, head_dim } = this.#g.p;
    return (Math.floor(s / heads) * tokens + t) * dim + s % heads * head_dim;
  }

  get sequences(): number {
    const { heads, dim, tokens } = this.#g.p;
    return this.#g.size("qkv") / (3 * dim * tokens) * heads;
  }

  score(s: number, query: number, key: number): Bounded {
    const qkv = this.#g.f("qkv");
    const [a, b] = [this.at(0, s, query), this.at(1, s, key)];
    return dot(this.size, (d) => qkv[a + d], (d) => qkv[b + d]);
  }

  /** e^(scale · (score − what)). */
  weight(score: Bounded, what: number): Bounded {
    return score.sub(what).mul(this.scale).exp();
  }
}

/** Scores whose exponents are moderate, as those of a network are. */
const QKV: Fill = (draw, { params: { head_dim, scale } }) =>
  draw.normal(Math.sqrt(1.5 / (scale * Math.sqrt(head_dim))));
/** A log-sum-exp as such scores have it, over the scale. */
const LSE: Fill = (draw, { params: { tokens, scale } }) =>
  draw.each(() => (Math.log(tokens) + 1 + draw.next()) / scale);

/** Every query of every head: part i is token i % N of sequence i / N. */
function queries(
  heads: Heads,
  cost: number,
  at: (s: number, t: number, expect: Parameters<Part["at"]>[1]) => void,
): Part {
  const { tokens } = heads;
  return {
    count: heads.sequences * tokens,
    cost: cost * tokens * heads.size,
    at: (i, expect) => at(Math.floor(i / tokens), i % tokens, expect),
  };
}

/** Online: a weight is multiplied once for every new maximum, of which numbers in random order have about ln N. */
const records = (tokens: number) => 2 * Math.log(tokens) + 8;

function forward(g: Given): Part[] {
  const heads = new Heads(g), { tokens, size, scale } = heads;
  const qkv = g.f("qkv");
  return [queries(heads, 2, (s, t, expect) => {
    const scores = Array.from({ length: tokens }, (_, j) => heads.score(s, t, j));
    const top = scores.reduce((most, x) => x.v > most.v ? x : most);
    const again = gamma(8 * records(tokens)); // exp and product of each
    const weights = scores.map((x) => {
      const p = heads.weight(x, top.v);
      return new Bounded(p.v, p.e * 2 + again * p.v + p.v * scale * top.e);
    });
    const total = weights.reduce((all, p) => all.add(p), new Sum()).value;
    for (let d = 0; d < size; d++) {
      const all = new Sum();
      weights.forEach((p, j) => all.add(p.mul(qkv[heads.at(2, s, j) + d])));
      expect("out", heads.out(s, t) + d, all.value.div(total));
    }
    if (g.has("lse")) expect("lse", s * tokens + t, total.log().div(scale).add(top));
  })];
}

/** p and ds of a query and a key, from the scores, lse and delta. */
function slopes(g: Given, heads: Heads, delta: (s: number, i: number) => Bounded) {
  const qkv = g.f("qkv"), dout = g.f("dout"), lse = g.f("lse");
  return (s: number, query: number, key: number) => {
    const p = heads.weight(heads.score(s, query, key), lse[s * heads.tokens + query]);
    const [o, v] = [heads.out(s, query), heads.at(2, s, key)];
    const dp = dot(heads.size, (d) => dout[o + d], (d) => qkv[v + d]);
    return { p, ds: p.mul(dp.sub(delta(s, query))).mul(heads.scale) };
  };
}

function backwardQ(g: Given): Part[] {
  const heads = new Heads(g), { tokens, size } = heads;
  const qkv = g.f("qkv"), out = g.f("out"), dout = g.f("dout");
  const delta = (s: number, i: number) => {
    const at = heads.out(s, i);
    return dot(size, (d) => dout[at + d], (d) => out[at + d]);
  };
  const slope = slopes(g, heads, delta);
  return [queries(heads, 3, (s, t, expect) => {
    const all = Array.from({ length: size }, () => new Sum());
    for (let j = 0; j < tokens; j++) {
      const { ds } = slope(s, t, j), at = heads.at(1, s, j);
      for (let d = 0; d < size; d++) all[d].add(ds.mul(qkv[at + d]));
    }
    all.forEach((x, d) => expect("dqkv", heads.at(0, s, t) + d, x.value));
    if (g.has("delta")) expect("delta", s * tokens + t, delta(s, t));
  })];
}

function backwardKv(g: Given): Part[] {
  const heads = new Heads(g), { tokens, size } = heads;
  const qkv = g.f("qkv"), dout = g.f("dout"), delta = g.f("delta");
  const slope = slopes(g, heads, (s, i) => exact(delta[s * tokens + i]));
  return [queries(heads, 4, (s, t, expect) => {
    const [dk, dv] = [0, 1].map(() => Array.from({ length: size }, () => new Sum()));
    for (let i = 0; i < tokens; i++) {
      const { p, ds } = slope(s, i, t);
      const [q, o] = [heads.at(0, s, i), heads.out(s, i)];
      for (let d = 0; d < size; d++) {
        dk[d].add(ds.mul(qkv[q + d]));
        dv[d].add(p.mul(dout[o + d]));
      }
    }
    dk.forEach((x, d) => expect("dqkv", heads.at(1, s, t) + d, x.value));
    dv.forEach((x, d) => expect("dqkv", heads.at(2, s, t) + d, x.value));
  })];
}

const fill = { qkv: QKV, lse: LSE };

/** Attention, its map, and rotary embeddings. */
export const ATTENTION: readonly Reference[] = [
  {
    family: "attention",
    kernels: /attention_map/,
    fill,
    parts(g) {
      const heads = new Heads(g), { queries: rows, tokens } = g.p;
      return [{
        count: g.p.n,
        cost: heads.size,
        at(i, expect) {
          const [key, query, s] = [
            i % tokens,
            Math.floor(i / tokens) % rows,
            Math.floor(i / tokens / rows),
          ];
          const lse = g.f("lse")[s * tokens + query];
          expect("map", i, heads.weight(heads.score(s, query, key), lse));
        },
      }];
    },
  },
  { family: "attention", kernels: /attention\w*_q/, fill, parts: backwardQ },
  { family: "attention", kernels: /attention\w*_kv/, fill, parts: backwardKv },
  { family: "attention", kernels: /attention\w*/, fill, parts: forward },
  {
    family: "attention",
    kernels: /rope/,
    kept: () => ["qkv"],
    fill: { table: (draw) => draw.each((i) => i % 2 ? Math.sin(i - 1) : Math.cos(i)) },
    parts(g) {
      const { n, tokens, prefix, heads, head_dim, rows, cols, turn } = g.p;
      const [half, quarter, dim] = [head_dim / 2, head_dim / 4, heads * head_dim];
      const table = g.f("table"), qkv = g.f("qkv");
      return [{
        count: n,
        cost: 8,
        at(i, expect) {
          const pair = i % dim, at = Math.floor(i / dim) % (rows * cols);
          const b = Math.floor(i / dim / (rows * cols));
          const j = pair % half, head = Math.floor(pair / half);
          const first = (b * tokens + prefix + at) * 3 * dim + head * head_dim + j;
          const place = j >= quarter ? rows + at % cols : Math.floor(at / cols);
          const angle = 2 * (place * quarter + j % quarter);
          const [cos, sin] = [exact(table[angle]), exact(turn * table[angle + 1])];
          const [x, y] = [qkv[first], qkv[first + half]];
          expect("qkv", first, cos.mul(x).sub(sin.mul(y)));
          expect("qkv", first + half, cos.mul(y).add(sin.mul(x)));
        },
      }];
    },
  },
];
