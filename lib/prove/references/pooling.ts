/**
 * References of kernels that take means and maxima of places in a picture.
 *
 * @module
 */
import { type Bounded, exact, sum } from "../bounded.ts";
import { elementwise, type Expect, type Reference } from "../reference.ts";

/** Cells of an average along an axis: of n cells along m patches. */
const cell = (i: number, n: number, m: number): [number, number] => [
  Math.floor(i * m / n),
  Math.floor(((i + 1) * m + n - 1) / n),
];

/** Pooling of maps and of tokens. */
export const POOLING: readonly Reference[] = [
  {
    family: "pooling",
    kernels: /average_pool/,
    parts(g) {
      const { n, places, channels, tokens, first } = g.p, src = g.f("src");
      const rows = 1 + tokens * places;
      return elementwise(n, (i, expect) => {
        const [channel, row] = [i % channels, Math.floor(i / channels)];
        if (g.c("BACK")) {
          const start = (Math.floor(row / places) + first) * rows * channels + channel;
          const v = exact(src[start]).div(places);
          return expect("out", i, tokens ? v.add(src[start + (1 + row % places) * channels]) : v);
        }
        const picture = Math.floor(row / rows) * places, to = i + first * rows * channels;
        if (row % rows) {
          return expect("out", to, src[(picture + row % rows - 1) * channels + channel]);
        }
        expect("out", to, sum(places, (p) => src[(picture + p) * channels + channel]).div(places));
      }, g.p.places);
    },
  },
  {
    family: "pooling",
    kernels: /max_pool/,
    kept: (g) => g.c("BACK") ? ["taps"] : [],
    fill: { taps: (draw, { params: { side } }) => draw.whole(() => draw.below(side * side)) },
    parts(g) {
      const { n, channels, height, width, rows, cols, side, stride, pad } = g.p, src = g.f("src");
      const back = g.c("BACK") !== 0;
      const [w, h] = back ? [width, height] : [cols, rows];
      return elementwise(n, (i, expect) => {
        const [channel, place] = [i % channels, Math.floor(i / channels)];
        const [x, y, picture] = [place % w, Math.floor(place / w) % h, Math.floor(place / (w * h))];
        if (!back) {
          let [best, which] = [-Infinity, side * side];
          for (let tap = 0; tap < side * side; tap++) {
            const r = y * stride + Math.floor(tap / side) - pad, c = x * stride + tap % side - pad;
            if (r < 0 || c < 0 || r >= height || c >= width) continue;
            const v = src[((picture * height + r) * width + c) * channels + channel];
            if (v > best) [best, which] = [v, tap];
          }
          expect("out", i, best);
          return expect.bits("taps", i, which);
        }
        const taps = g.u("taps"), terms: number[] = [];
        for (let tap = 0; tap < side * side; tap++) {
          const r = (y + pad - Math.floor(tap / side)) / stride,
            c = (x + pad - tap % side) / stride;
          if (!Number.isInteger(r) || !Number.isInteger(c)) continue;
          if (r < 0 || c < 0 || r >= rows || c >= cols) continue;
          const at = ((picture * rows + r) * cols + c) * channels + channel;
          if (taps[at] === tap) terms.push(src[at]);
        }
        expect("out", i, sum(terms.length, (k) => terms[k]));
      }, g.p.side ** 2);
    },
  },
  {
    family: "pooling",
    kernels: /pool_tokens/,
    kept: (g) => g.c("ACCUMULATE") ? ["out"] : [],
    parts(g) {
      const { n, width, rows, cols, cls, cells, first, stride, scale, prefix } = g.p;
      const dim = g.c("VEC") ? 4 * width : width;
      const src = g.f("src"), tokens = prefix + rows * cols, parts = cls + cells * cells;
      const put = (expect: Expect, to: number, v: Bounded) => {
        const scaled = v.mul(Math.fround(scale));
        expect("out", to, g.c("ACCUMULATE") ? scaled.add(g.f("out")[to]) : scaled);
      };
      return elementwise(n * dim, (i, expect) => {
        const [d, at] = [i % dim, Math.floor(i / dim)];
        if (!g.c("BACKWARD")) {
          const [image, part] = [Math.floor(at / parts), at % parts];
          const to = ((first + image * stride) * parts + part) * dim + d;
          if (part < cls) return put(expect, to, exact(src[image * tokens * dim + d]));
          const [top, bottom] = cell(Math.floor((part - cls) / cells), cells, rows);
          const [left, right] = cell((part - cls) % cells, cells, cols);
          const wide = right - left, count = (bottom - top) * wide;
          const mean = sum(count, (k) => {
            const token = prefix + (top + Math.floor(k / wide)) * cols + left + k % wide;
            return src[(image * tokens + token) * dim + d];
          }).div(count);
          return put(expect, to, mean);
        }
        const [image, token] = [Math.floor(at / tokens), at % tokens];
        const from = (first + image * stride) * parts;
        if (token < prefix) return put(expect, i, exact(token < cls ? src[from * dim + d] : 0));
        const [r0, r1] = cell(Math.floor((token - prefix) / cols), rows, cells);
        const [c0, c1] = cell((token - prefix) % cols, cols, cells);
        const wide = c1 - c0;
        put(
          expect,
          i,
          sum((r1 - r0) * wide, (k) => {
            const [r, c] = [r0 + Math.floor(k / wide), c0 + k % wide];
            const [down, across] = [cell(r, cells, rows), cell(c, cells, cols)];
            const v = exact(src[(from + cls + r * cells + c) * dim + d]);
            return v.div((down[1] - down[0]) * (across[1] - across[0]));
          }),
        );
      }, 16);
    },
  },
];
