/**
 * References of kernels that move rows, or put their elements elsewhere.
 *
 * @module
 */
import { exact } from "../bounded.ts";
import { elementwise, type Fill, type Reference, widthOf } from "../reference.ts";

const FLAGS: Fill = (draw) => draw.whole(() => draw.below(2));

/** Kernels that move. */
export const ROWS: readonly Reference[] = [
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
      const each = g.c("BACK") ? g.c("VEC") ? 4 : 1 : p;
      return elementwise(n * each, (i, expect) => {
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
];
