/**
 * References of kernels that take elements by themselves.
 *
 * @module
 */
import { exact } from "../bounded.ts";
import { philox } from "../../rng.ts";
import { elementwise, type Fill, type Reference, SCALARS, widthOf, ZEROS } from "../reference.ts";

const FACTORS: Fill = (draw) => draw.each(() => draw.below(3) ? 1.25 : 0);

/** Activations, scales, drop path, and what else is done to each element. */
export const ELEMENTS: readonly Reference[] = [
  {
    family: "elements",
    kernels: /gelu/,
    parts: (g) =>
      elementwise(g.p.n, (i, expect) => {
        const x = exact(g.f("x")[i]);
        expect("y", i, g.c("GRAD") ? x.geluGrad().mul(g.f("dy")[i]) : x.gelu());
      }, 40),
  },
  {
    family: "elements",
    kernels: /swiglu/,
    parts(g) {
      const width = widthOf(g), x = g.f("x");
      return elementwise(g.p.rows * width, (i, expect) => {
        const [row, col] = [Math.floor(i / width), i % width];
        const at = 2 * row * width + col, gate = exact(x[at]), other = x[at + width];
        const s = gate.sigmoid();
        if (!g.c("GRAD")) return expect("out", i, gate.mul(s).mul(other));
        const d = exact(g.f("dy")[i]);
        const slope = s.mul(exact(1).add(gate.mul(exact(1).sub(s))));
        expect("out", at, d.mul(other).mul(slope));
        expect("out", at + width, d.mul(gate.mul(s)));
      }, 8);
    },
  },
  {
    family: "elements",
    kernels: /layer_scale/,
    parts(g) {
      const width = widthOf(g);
      return elementwise(g.p.rows * width, (i, expect) => {
        const v = exact(g.f("h")[i]).mul(g.f("gamma")[i % width]);
        expect("out", i, g.c("ADD") ? v.add(g.f("x")[i]) : v);
      });
    },
  },
  {
    family: "elements",
    kernels: /scale_add/,
    fill: { scale: FACTORS },
    parts(g) {
      const width = widthOf(g);
      return elementwise(g.p.rows * width, (i, expect) => {
        const factor = g.f("scale")[Math.floor(Math.floor(i / width) / g.p.group)];
        const v = exact(g.f("h")[i]).mul(factor);
        expect("out", i, g.c("ADD", 1) ? v.add(g.f("x")[i]) : v);
      });
    },
  },
  {
    family: "elements",
    kernels: /drop_path/,
    fill: { scalars: (draw) => draw.each((i) => i + 2) },
    parts(g) {
      const { n, stream, seed_low, seed_high, step_index, batch, accumulation_steps, rate } = g.p;
      const scalars = g.f("scalars");
      const micro = accumulation_steps > 1 ? scalars[g.p.micro_batch_index] : 0;
      const keep = exact(1).div(exact(1).sub(Math.fround(rate)));
      return elementwise(n, (i, expect) => {
        const place = (Math.floor(i / batch) * accumulation_steps + micro) * batch + i % batch;
        const [bits] = philox([place, stream, scalars[step_index], 0], [seed_low, seed_high]);
        const dropped = (bits >>> 8) * 2 ** -24 < Math.fround(rate);
        expect("scale", i, dropped ? exact(0) : keep);
      }, 20);
    },
  },
  {
    family: "elements",
    kernels: /clear/,
    kept: () => ["x"],
    fill: { scalars: ZEROS }, // the first micro-batch
    parts: (g) => elementwise(g.p.n, (i, expect) => expect("x", i, 0)),
  },
  {
    family: "elements",
    kernels: /running_stats/,
    fill: { scalars: ZEROS, flag: ZEROS },
    parts: (g) => elementwise(g.p.n, (i, expect) => expect("out", i, g.f("src")[i])),
  },
  {
    family: "elements",
    kernels: /class_gradient/,
    fill: {
      p: SCALARS,
      labels: (draw, { params: { classes } }) => draw.whole(() => draw.below(classes)),
    },
    parts(g) {
      const { rows, classes } = g.p;
      return elementwise(rows * classes, (i, expect) => {
        const row = Math.floor(i / classes);
        const hot = g.u("labels")[row] === i % classes ? 1 : 0;
        expect("out", i, exact(g.f("p")[i]).sub(hot).mul(g.f("weights")[row]));
      });
    },
  },
];
