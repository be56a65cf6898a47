/**
 * References of kernels that move rows, or take elements by themselves.
 *
 * @module
 */
import { type Bounded, exact, sum } from "../bounded.ts";
import { philox } from "../../rng.ts";
import {
  elementwise,
  type Expect,
  type Fill,
  type Given,
  type Reference,
  SCALARS,
} from "../reference.ts";

/** A row in elements: `width` counts vec4s where VEC is. */
const widthOf = (g: Given) => g.p.width * (g.c("VEC") ? 4 : 1);
const FLAGS: Fill = (draw) => draw.whole(() => draw.below(2));
const FACTORS: Fill = (draw) => draw.each(() => draw.below(3) ? 1.25 : 0);

/** Where a micro-batch is the first: the fill below makes its number 0. */
const FIRST: Fill = (draw) => draw.each(() => 0);

/** Cells of an average along an axis: of n cells along m patches. */
const cell = (i: number, n: number, m: number): [number, number] => [
  Math.floor(i * m / n),
  Math.floor(((i + 1) * m + n - 1) / n),
];

/** Kernels that move. */
export const ROWS: readonly Reference[] = [
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
    family: "rows",
    kernels: /rows/,
    parts(g) {
      const { rows, stride, first } = g.p, width = widthOf(g), src = g.f("src");
      const scatter = g.c("SCATTER") !== 0;
      return elementwise(rows * (scatter ? stride : 1) * width, (i, expect) => {
        const [row, c] = [Math.floor(i / width), i % width];
        if (!scatter) {
          return expect("out", (first + row) * width + c, src[row * stride * width + c]);
        }
        expect("out", i, row % stride ? 0 : src[(first + row / stride) * width + c]);
      });
    },
  },
  {
    family: "rows",
    kernels: /gather_rows/,
    kept: (g) => g.c("SCATTER") ? ["out"] : [],
    // No row is named twice, and some name none.
    fill: {
      index: (draw, { params: { limit } }) =>
        draw.whole((i) => i % 5 === 4 || i >= limit ? limit + i : limit - 1 - i),
    },
    parts(g) {
      const { rows, limit } = g.p, width = widthOf(g);
      const [src, index] = [g.f("src"), g.u("index")];
      return elementwise(rows * width, (i, expect) => {
        const [row, c] = [Math.floor(i / width), i % width];
        const none = index[row] >= limit, named = index[row] * width + c;
        if (!g.c("SCATTER")) return expect("out", i, none ? 0 : src[named]);
        if (!none) expect("out", named, exact(g.f("out")[named]).add(src[i]));
      });
    },
  },
  {
    family: "rows",
    kernels: /tokens/,
    fill: { mask: FLAGS },
    parts(g) {
      const { rows, patches, cls, registers } = g.p, width = widthOf(g);
      const prefix = cls + registers, tokens = patches + prefix;
      const mask = g.c("MASK");
      return elementwise(rows * width, (i, expect) => {
        const [row, c] = [Math.floor(i / width), i % width];
        if (g.c("BACK")) {
          const none = mask !== 0 && (g.u("mask")[row] !== 0) === (mask === 1);
          const [b, t] = [Math.floor(row / patches), row % patches];
          return expect("out", i, none ? 0 : g.f("src")[(b * tokens + prefix + t) * width + c]);
        }
        const [b, t] = [Math.floor(row / tokens), row % tokens];
        if (t >= cls && t < prefix) return expect("out", i, g.f("reg")[(t - cls) * width + c]);
        const patch = b * patches + t - prefix;
        let v = exact(
          t < cls
            ? g.f("cls")[c]
            : mask !== 0 && g.u("mask")[patch] !== 0
            ? g.f("mask_token")[c]
            : g.f("src")[patch * width + c],
        );
        if (g.c("POS", 1)) v = v.add(g.f("pos")[(t < cls ? t : t - registers) * width + c]);
        expect("out", i, v);
      });
    },
  },
  {
    family: "rows",
    kernels: /patchify/,
    parts(g) {
      const { n, channels, height, width, side: p } = g.p, src = g.f("src");
      const [rows, cols] = [Math.floor(height / p), Math.floor(width / p)];
      const length = channels * p * p;
      return elementwise(n * (g.c("VEC") ? 4 : 1), (i, expect) => {
        if (g.c("BACK")) {
          const [x, y] = [i % width, Math.floor(i / width) % height];
          const plane = Math.floor(i / (width * height)), c = plane % channels;
          const b = Math.floor(plane / channels);
          if (x >= cols * p || y >= rows * p) return expect("dst", i, 0);
          const index = (b * rows + Math.floor(y / p)) * cols + Math.floor(x / p);
          return expect("dst", i, src[index * length + (c * p + y % p) * p + x % p]);
        }
        const [index, e] = [Math.floor(i / length), i % length];
        const x = index % cols * p + e % p;
        const y = Math.floor(index / cols) % rows * p + Math.floor(e / p) % p;
        const plane = Math.floor(index / (rows * cols)) * channels + Math.floor(e / (p * p));
        expect("dst", i, src[(plane * height + y) * width + x]);
      });
    },
  },
  {
    family: "rows",
    kernels: /channels_last/,
    parts(g) {
      const { n, channels, padded, pixels } = g.p, src = g.f("src");
      return elementwise(n, (i, expect) => {
        if (g.c("BACK")) {
          const plane = Math.floor(i / pixels);
          const pixel = Math.floor(plane / channels) * pixels + i % pixels;
          return expect("out", i, src[pixel * padded + plane % channels]);
        }
        const [channel, pixel] = [i % padded, Math.floor(i / padded)];
        const plane = Math.floor(pixel / pixels) * channels + channel;
        expect("out", i, channel < channels ? src[plane * pixels + pixel % pixels] : 0);
      });
    },
  },
  {
    family: "rows",
    kernels: /conv_weight/,
    kept: (g) => g.p.accumulate ? ["out"] : [],
    parts(g) {
      const { n, outputs, channels, taps, padded, accumulate } = g.p, src = g.f("src");
      const to = g.c("TO");
      return elementwise(n, (i, expect) => {
        if (to === 2) {
          const [o, c, t] = [
            Math.floor(i / (taps * channels)),
            Math.floor(i / taps) % channels,
            i % taps,
          ];
          const v = exact(src[(o * taps + t) * padded + c]);
          return expect("out", i, accumulate ? v.add(g.f("out")[i]) : v);
        }
        const [channel, next] = [i % padded, Math.floor(i / padded)];
        const [o, t] = to === 1
          ? [next % outputs, Math.floor(next / outputs)]
          : [Math.floor(next / taps), next % taps];
        expect("out", i, channel < channels ? src[(o * channels + channel) * taps + t] : 0);
      });
    },
  },
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
      const { n, dim, rows, cols, cls, cells, first, stride, scale, prefix } = g.p;
      const src = g.f("src"), tokens = prefix + rows * cols, parts = cls + cells * cells;
      const put = (expect: Expect, to: number, v: Bounded) => {
        const scaled = v.mul(Math.fround(scale));
        expect("out", to, g.c("ACCUMULATE") ? scaled.add(g.f("out")[to]) : scaled);
      };
      return elementwise(n, (i, expect) => {
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
  {
    family: "elements",
    kernels: /clear/,
    kept: () => ["x"],
    fill: { scalars: FIRST },
    parts: (g) => elementwise(g.p.n, (i, expect) => expect("x", i, 0)),
  },
  {
    family: "elements",
    kernels: /running_stats/,
    fill: { scalars: FIRST, flag: (draw) => draw.whole(() => 0) },
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
