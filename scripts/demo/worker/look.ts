/**
 * What the model sees in pictures.
 *
 * @module
 */
import type { Picture } from "../../../lib/data/image.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import { lookAt } from "../../../lib/eval/attention.ts";
import type { FeatureArray } from "../../../lib/eval/features.ts";
import { nearest } from "../../../lib/eval/nearest.ts";
import { pca } from "../../../lib/eval/pca.ts";
import { framed } from "../../../lib/draw/frame.ts";
import type { PictureModel } from "../../../lib/load.ts";
import { transformerOf } from "../../../lib/model.ts";
import { umapLayout } from "../../common/umap.ts";
import type { Neighbor, Seen } from "../protocol.ts";
import { bitmapOf, type NamedPicture, type Pictures } from "./pictures.ts";

/** Share of the patches beyond each end of the colours. */
const TAIL = 0.01;

/** Neighbours that the map keeps together. */
const KEPT = 15;

/** Pictures that are encoded at once: what a forward pass takes, and a moment to tell how far it is. */
const AT_ONCE = 64;

/** Looks at pictures with one model, and keeps their features. */
export class Looker {
  /** The model. */
  readonly model: PictureModel;
  readonly #pictures: Pictures;
  readonly #onProgress: (what: string, done: number, total: number) => void;
  #known: Float32Array[] = [];

  /** Nothing is looked at yet. */
  constructor(
    model: PictureModel,
    pictures: Pictures,
    onProgress: (what: string, done: number, total: number) => void,
  ) {
    this.model = model;
    this.#pictures = pictures;
    this.#onProgress = onProgress;
  }

  /** Forgets features, as the pictures are others. */
  forget(): void {
    this.#known = [];
  }

  /** Attention of all tokens, and the patches' components as colours. */
  async look({ name, picture }: NamedPicture, patches: number): Promise<Seen> {
    const { config, gpu, model: { backbone }, params } = this.model;
    const vit = transformerOf(backbone, "pictures of attention");
    const { patchSize: patch, heads, dim } = vit.config;
    const framing = { id: name, size: patches * patch, patch, whole: false };
    const { shown, input } = framed(picture, framing, config);
    const { width, height, channels = 3 } = shown;
    const images = gpu.tensor(input, [1, channels, height, width]);
    const looked = await lookAt(gpu, vit, params, images, { of: "all" });
    images.destroy();
    const { grid, attention } = looked, count = grid[0] * grid[1];
    const tokens = count + Number(vit.hasClass);
    return {
      picture: await bitmapOf(shown),
      grid,
      heads,
      tokens,
      attention,
      components: componentsOf({ data: looked.patches, shape: [count, dim] }),
    };
  }

  /** Features as the configuration reads them out, as the model gives them. */
  async features(indices: readonly number[]): Promise<Float32Array[]> {
    return await this.model.features(await this.#decoded(indices));
  }

  /** The most similar pictures of one. */
  async neighbors(index: number, k: number): Promise<Neighbor[]> {
    const all = await this.#all(), [n, dim] = all.shape;
    if (n < 2) return [];
    const query = { data: all.data.slice(index * dim, (index + 1) * dim), shape: [1, dim] };
    const found = await nearest(this.model.gpu, query, all, Math.min(k, n - 1), {
      exclude: [index],
    });
    return Array.from(found.indices, (at, i) => ({ index: at, similarity: found.similarity[i] }));
  }

  /** Places of all pictures. */
  async map(): Promise<Float32Array> {
    const all = await this.#all(), [n] = all.shape;
    if (n < 3) {
      throw new HatchlingError(`Expected at least 3 pictures for a map but found ${n}: add more`);
    }
    const start = pca(all, 2).project(all);
    const places = n <= KEPT ? start : await umapLayout(this.model.gpu, all, start, {
      neighbors: KEPT,
      seed: 0,
      onProgress: (done, total) => this.#onProgress("map", done, total),
    });
    return scaled(places);
  }

  #decoded(indices: readonly number[]): Promise<Picture[]> {
    const { data: { max_pixels: maxPixels }, model: { in_chans: channels } } = this.model.config;
    return Promise.all(indices.map((i) => this.#pictures.decoded(i, { maxPixels, channels })));
  }

  /** Features of all pictures, of length 1; made once. */
  async #all(): Promise<FeatureArray> {
    const n = this.#pictures.length, known = this.#known, first = known.length;
    while (known.length < n) {
      const count = Math.min(AT_ONCE, n - known.length);
      const some = Array.from({ length: count }, (_, i) => known.length + i);
      known.push(...await this.model.features(await this.#decoded(some), { normalize: true }));
      this.#onProgress("features", known.length - first, n - first);
    }
    const dim = known[0]?.length ?? 0, data = new Float32Array(n * dim);
    known.forEach((row, i) => data.set(row, i * dim));
    return { data, shape: [n, dim] };
  }
}

/** Three components from 0 to 255; a few far patches would leave all others alike, so ends are cut. */
function componentsOf(patches: FeatureArray): Uint8Array {
  const [n, dim] = patches.shape, used = Math.min(3, dim, n);
  const values = pca(patches, used).project(patches), out = new Uint8Array(3 * n);
  for (let c = 0; c < used; c++) {
    const sorted = Float64Array.from({ length: n }, (_, i) => values[i * used + c]).sort();
    const at = (share: number) => sorted[Math.round(share * (n - 1))];
    const [low, high] = [at(TAIL), at(1 - TAIL)];
    for (let i = 0; i < n; i++) {
      const share = (values[i * used + c] - low) / (high - low || 1);
      out[3 * i + c] = Math.round(255 * Math.min(1, Math.max(0, share)));
    }
  }
  return out;
}

/** Places from 0 to 1, both ways by the same factor. */
function scaled(places: Float64Array): Float32Array {
  const axes = [0, 1].map((d) => {
    const values = places.filter((_, i) => i % 2 === d);
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    return { least, width: values.reduce((a, b) => Math.max(a, b), -Infinity) - least };
  });
  const widest = Math.max(...axes.map(({ width }) => width)) || 1;
  return Float32Array.from(places, (value, i) => {
    const { least, width } = axes[i % 2];
    return (value - least + (widest - width) / 2) / widest;
  });
}
