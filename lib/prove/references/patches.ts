/**
 * References of KoLeo and of Gram anchoring.
 *
 * @module
 */
import { type Bounded, dot, exact, Sum } from "../bounded.ts";
import { type Given, type Part, type Reference, SCALARS, widthOf } from "../reference.ts";

/** Patches i on of block b, four rows each: their image, and their numbers in it. */
function blockOf(g: Given, b: number): { image: number; start: number; i: number } {
  const { first, patches, tokens } = g.p;
  const per = Math.ceil(patches / 4);
  const image = Math.floor((first + b) / per);
  return { image, start: image * tokens + tokens - patches, i: (first + b) % per * 4 };
}

/** KoLeo. */
export const KOLEO: readonly Reference[] = [
  {
    family: "KoLeo",
    kernels: /koleo_pairs/,
    // Short rows: what follows from products rather than differences.
    fill: { x: (draw, { params: { dim } }) => draw.normal(0.3 / Math.sqrt(dim)) },
    parts(g) {
      const { rows, dim, group } = g.p, x = g.f("x");
      return [{
        count: rows,
        cost: 2 * dim * group,
        at(r, expect) {
          const first = (r - r % group) * dim;
          for (let j = 0; j < group; j++) {
            const along = dot(dim, (d) => x[r * dim + d], (d) => x[first + j * dim + d]);
            const square = new Sum();
            for (let d = 0; d < dim; d++) {
              const off = exact(x[r * dim + d]).sub(x[first + j * dim + d]);
              square.add(off.mul(off));
            }
            expect("pairs", 2 * (r * group + j), exact(1).sub(along));
            expect("pairs", 2 * (r * group + j) + 1, square.value);
          }
        },
      }];
    },
  },
  {
    family: "KoLeo",
    kernels: /koleo_nearest/,
    fill: { pairs: (draw) => draw.uniform(0.1, 1.5) },
    parts(g) {
      const { rows, group, scale, eps } = g.p, pairs = g.f("pairs");
      return [{
        count: rows,
        cost: group,
        at(r, expect) {
          const own = r % group;
          if (group === 1) {
            expect.bits("nearest", r, r);
            expect("share", r, 0);
            return expect("slope", r, 0);
          }
          let at = own;
          for (let j = 0; j < group; j++) {
            if (j === own) continue;
            if (at === own || pairs[2 * (r * group + j)] < pairs[2 * (r * group + at)]) at = j;
          }
          const d = exact(pairs[2 * (r * group + at) + 1]).sqrt();
          const far = d.add(Math.fround(eps)), factor = Math.fround(scale);
          expect.bits("nearest", r, r - own + at);
          expect("share", r, far.log().mul(-factor));
          expect("slope", r, exact(factor).div(d.mul(far)));
        },
      }];
    },
  },
  {
    family: "KoLeo",
    kernels: /koleo_grad/,
    fill: {
      nearest: (draw, { params: { group } }) =>
        draw.whole((i) => i - i % group + (i % group + 1) % group % 3 % group),
    },
    parts(g) {
      const { rows, dim, group } = g.p,
        x = g.f("x"),
        slope = g.f("slope"),
        nearest = g.u("nearest");
      return [{
        count: rows,
        cost: dim * group,
        at(r, expect) {
          const first = r - r % group;
          const from = [r];
          for (let i = first; i < first + group; i++) if (nearest[i] === r && i !== r) from.push(i);
          for (let d = 0; d < dim; d++) {
            const all = new Sum();
            for (const i of from) {
              const other = i === r ? nearest[r] : i;
              all.add(exact(x[other * dim + d]).sub(x[r * dim + d]).mul(slope[i]));
            }
            expect("grad", r * dim + d, all.value);
          }
        },
      }];
    },
  },
];

/** Gram anchoring. */
export const GRAM: readonly Reference[] = [
  {
    family: "patch losses",
    kernels: /gram_difference/,
    parts(g) {
      const { blocks, patches } = g.p, width = widthOf(g);
      const [x, y] = [g.f("x"), g.f("y")];
      return [{
        count: blocks,
        cost: 8 * patches * width,
        at(b, expect) {
          const { start, i } = blockOf(g, b);
          for (let k = 0; k < 4; k++) {
            const row = (start + Math.min(i + k, patches - 1)) * width;
            for (let j = 0; j < patches; j++) {
              const col = (start + j) * width;
              const own = dot(width, (d) => x[row + d], (d) => x[col + d]);
              const anchor = dot(width, (d) => y[row + d], (d) => y[col + d]);
              expect("difference", (4 * b + k) * patches + j, own.sub(anchor));
            }
          }
        },
      }];
    },
  },
  {
    family: "patch losses",
    kernels: /gram_grad/,
    fill: { scalars: SCALARS },
    parts(g): Part[] {
      const { blocks, patches, tokens, factor } = g.p, width = widthOf(g);
      const x = g.f("x"), difference = g.f("difference");
      const scale = g.c("SCALED") ? g.f("scalars")[g.p.factor_index] : 1;
      const by = exact(Math.fround(factor)).mul(scale);
      return [{
        count: blocks,
        cost: 4 * patches * width,
        at(b, expect) {
          const { image, start, i } = blockOf(g, b);
          for (let k = 0; k < Math.min(4, patches - i); k++) {
            const row = (4 * b + k) * patches;
            for (let c = 0; c < width; c++) {
              const all = dot(
                patches,
                (j) => difference[row + j],
                (j) => x[(start + j) * width + c],
              );
              expect("out", (start + i + k) * width + c, all.mul(by));
            }
            const squares: Bounded = dot(
              patches,
              (j) => difference[row + j],
              (j) => difference[row + j],
            );
            expect("share", image * patches + i + k, squares.mul(scale));
          }
          if (i !== 0) return;
          for (let t = (start - (tokens - patches)) * width; t < start * width; t++) {
            expect("out", t, 0);
          }
        },
      }];
    },
  },
];
