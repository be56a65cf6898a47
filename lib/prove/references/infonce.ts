/**
 * References of InfoNCE.
 *
 * @module
 */
import { Bounded, exact, Sum, sum } from "../bounded.ts";
import type { Given, Reference } from "../reference.ts";

/** Of InfoNCE, the scale: exp(min(log_scale, most)) if it is learned. */
function scaleOf(g: Given): Bounded {
  const most = Math.fround(g.p.most);
  return g.c("LEARNED")
    ? exact(Math.min(g.f("log_scale")[0], most)).exp()
    : exact(Math.fround(g.p.scale));
}

/** log(1 + x) of kernels/infonce_rows.wgsl: a series up to ½, of a relative error below 2⁻²⁰. */
function log1p(x: Bounded): Bounded {
  const v = Math.log1p(x.v);
  if (x.v > 0.5) return x.add(1).log();
  return new Bounded(v, x.e + v * 16 * 2 ** -24);
}

/** InfoNCE. */
export const INFONCE: readonly Reference[] = [
  {
    family: "contrastive loss",
    kernels: /infonce_clamp/,
    kept: () => ["log_scale"],
    fill: { log_scale: (draw) => draw.uniform(8, 9) },
    parts: (g) => [{
      count: 1,
      cost: 1,
      at: (_, expect) =>
        expect("log_scale", 0, Math.min(g.f("log_scale")[0], Math.fround(g.p.most))),
    }],
  },
  {
    family: "contrastive loss",
    kernels: /infonce_finish/,
    kept: (g) => [
      ...g.p.accumulate ? ["pair_loss", "loss", "accuracy"] : [],
      ...g.p.add_grad ? ["grad"] : [],
    ],
    fill: { log_scale: (draw) => draw.uniform(1, 2) },
    parts(g) {
      const { globals, views, accumulate, add_grad } = g.p, sums = g.f("sums");
      const n = globals * views, pairs = globals * (views - 1);
      return [{
        count: 1,
        cost: n,
        at(_, expect) {
          const put = (name: string, i: number, v: Bounded, add: number) =>
            expect(name, i, add ? v.add(g.f(name)[i]) : v);
          const mean = (from: number) => sum(n, (i) => sums[from + i]).div(pairs);
          for (let i = 0; i < n; i++) put("pair_loss", i, exact(sums[i]), accumulate);
          put("loss", 0, mean(0), accumulate);
          put("accuracy", 0, mean(n), accumulate);
          if (!g.c("LEARNED")) return;
          const free = g.f("log_scale")[0] <= Math.fround(g.p.most);
          const slope = sum(n, (i) => sums[2 * n + i]).mul(Math.fround(g.p.weight)).div(pairs);
          put("grad", 0, free ? slope : exact(0), add_grad);
        },
      }];
    },
  },
  {
    family: "contrastive loss",
    kernels: /infonce_rows/,
    kept: () => ["out"],
    fill: {
      out: (draw) => draw.uniform(-1, 1),
      log_scale: (draw) => draw.uniform(1, 2),
      terms: (draw) => draw.normal(),
    },
    parts(g) {
      const { items, batch, globals, views, first } = g.p;
      const scale = scaleOf(g), stride = globals * views * batch;
      return [{
        count: items,
        cost: 6 * batch,
        at(item, expect) {
          const view = item % globals, row = first + Math.floor(item / globals);
          const label = row % batch, base = item * batch;
          const at = view * views * batch + row;
          if (Math.floor(row / batch) === view) {
            for (let k = 0; k < batch; k++) expect("out", base + k, 0);
            for (let i = 0; i < 3; i++) expect("terms", i * stride + at, 0);
            return;
          }
          const s = g.f("out").subarray(base, base + batch), positive = s[label];
          const top = s.reduce((a, b) => Math.max(a, b));
          const e = Array.from(s, (x) => exact(x).sub(top).mul(scale).exp());
          const [others, slopes] = [new Sum(), new Sum()];
          e.forEach((p, k) => {
            if (k === label) return;
            others.add(p);
            slopes.add(p.mul(exact(s[k]).sub(positive)));
          });
          const rest = others.value, below = exact(top).sub(positive).mul(scale);
          const total = rest.add(below.neg().exp());
          const factor = scale.mul(Math.fround(g.p.factor));
          e.forEach((p, k) => {
            expect("out", base + k, factor.mul(k === label ? rest.neg() : p).div(total));
          });
          const nearest = s.indexOf(top) === label ? 1 : 0;
          expect("terms", at, below.v === 0 ? log1p(rest) : below.add(total.log()));
          expect("terms", stride + at, nearest);
          expect("terms", 2 * stride + at, scale.mul(slopes.value).div(total));
        },
      }];
    },
  },
];
