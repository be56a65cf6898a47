/**
 * `deno task look map`: a page with all pictures, similar ones near each other.
 *
 * @module
 */
import type { Picture } from "../../lib/data/image.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { featureEncoder } from "../../lib/eval/feature_encoder.ts";
import { readoutOf } from "../../lib/from_config.ts";
import { pca } from "../../lib/eval/pca.ts";
import { qualityOf } from "../../lib/open_model/quality.ts";
import { bytes, count, many, percent } from "../../lib/words.ts";
import { shown } from "../../lib/text.ts";
import { print } from "../common/terminal.ts";
import { squareOf } from "../../lib/draw/frame.ts";
import script from "./map.js" with { type: "text" };
import style from "./map.css" with { type: "text" };
import { shownFeatures } from "./features.ts";
import type { Output } from "./output.ts";
import { embedded, pageOf } from "../../lib/draw/page.ts";
import type { Session } from "../../lib/session.ts";
import { spriteSheets } from "../../lib/draw/sprites.ts";
import { umapLayout } from "../common/umap.ts";

/** Options of the command. */
export interface MapOptions {
  /** Where the results go. */
  out: Output;
  /** Neighbours that UMAP keeps together. */
  neighbours: number;
  /** Kind of label to begin with. */
  colorBy?: string;
  /** Side of a picture on the page. */
  thumbnail: number;
  /** Take only so many pictures of the set. */
  maxImages: number;
}

/** Fewest pictures of which a map is made. */
const LEAST = 3;

/** Pixels of all thumbnails: what browsers take as part of one file, and keep on the GPU. */
const MOST_PIXELS = 2 ** 26;

/** Steps per side that places are rounded to. */
const STEPS = 65535;

/** Writes the page, and says where it is. */
export async function lookMap(
  session: Session,
  _paths: readonly string[],
  options: MapOptions,
): Promise<void> {
  const { thumbnail, colorBy, neighbours } = options;
  if (neighbours < 2) {
    throw new HatchlingError(`Expected --neighbours of at least 2 but found ${neighbours}`);
  }
  if (thumbnail < 8 || thumbnail > 256) {
    throw new HatchlingError(`Expected --thumbnail from 8 to 256 pixels but found ${thumbnail}`);
  }
  const { loaded, config, progress } = session;
  const dataset = await session.dataset();
  const kinds = Object.keys(dataset.labels ?? {});
  if (colorBy !== undefined && !kinds.includes(colorBy)) {
    const there = kinds.length
      ? `one of ${kinds.map(shown).join(", ")}`
      : "left out, as there is none,";
    throw new HatchlingError(
      `Expected --color-by, a kind of label of ${shown(dataset.name)}, to be ${there} but found ${
        shown(colorBy)
      }`,
    );
  }
  const all = Math.min(dataset.length, options.maxImages);
  if (all * thumbnail ** 2 > MOST_PIXELS) {
    throw new HatchlingError(
      `Expected at most ${count(MOST_PIXELS)} pixels of thumbnails on the page but found ` +
        `${many(all, "picture")} of ${thumbnail} × ${thumbnail}: lower --max-images or --thumbnail`,
    );
  }
  const { gpu, params } = await session.gpu();
  const readout = readoutOf(config);
  const encoder = featureEncoder(gpu, loaded.name, loaded.model.backbone, params, readout);
  const plain = await session.encode(dataset, encoder, options.maxImages);
  using features = await shownFeatures(session, readout, plain);
  const { indices, whole } = features.encoded;
  const n = indices.length;
  if (n < LEAST) {
    throw new HatchlingError(
      `Expected at least ${LEAST} sound pictures for a map but found ${n} in ${
        shown(dataset.name)
      }`,
    );
  }
  const { project, explained } = pca(whole, 2);
  const plane = project(whole);
  const umap = await umapLayout(gpu, whole, plane, {
    neighbors: neighbours,
    seed: config.training.seed,
    onProgress: (done, total) => progress.show(`UMAP: ${done} of ${total} epochs`),
  });
  const thumbnails: Picture[] = [];
  for (const index of indices) {
    thumbnails.push(squareOf(await dataset.picture(index), thumbnail));
    progress.show(`thumbnails: ${thumbnails.length} of ${n}`);
  }
  progress.end();
  const data = {
    sprites: spriteSheets(thumbnails, thumbnail),
    layouts: [
      { name: "UMAP", places: rounded(umap) },
      { name: "PCA", places: rounded(plane) },
    ],
    ids: indices.map((index) => shown(dataset.id(index))),
    labels: kinds.map((kind) => {
      const { values, names } = dataset.labels![kind];
      return {
        kind: shown(kind),
        names: names.map(shown),
        values: indices.map((index) => values[index]),
      };
    }),
    first: Math.max(0, kinds.indexOf(colorBy ?? kinds[0])),
  };
  const everyone = many(dataset.length, "picture");
  const part = n < dataset.length ? `${count(n)} of ${everyone}` : everyone;
  const page = pageOf({
    title: "Map of features",
    about:
      `${part} of ${dataset.name}, ${loaded.file}, features: ${features.words}. UMAP: ${
        Math.min(neighbours, n - 1)
      } ` +
      `neighbours, cosine, seed ${config.training.seed}. PCA: ${
        percent(explained[0] + explained[1])
      } of the variance.`,
    note: await qualityOf(loaded, features.words),
    style,
    body: `<main><p class="wait">This page needs JavaScript.</p></main>\n` +
      `${embedded("data", data)}\n<script>\n${script}</script>`,
  });
  const file = new TextEncoder().encode(page);
  const path = await options.out.write("map.html", file);
  print(`${shown(path)}: ${part} (${bytes(file.length)})`);
}

/** Places in a square of whole steps, shapes kept: x, y, x, y, … */
function rounded(places: Float64Array): number[] {
  const ends = [0, 1].map((d) => {
    let low = Infinity, high = -Infinity;
    for (let i = d; i < places.length; i += 2) {
      low = Math.min(low, places[i]);
      high = Math.max(high, places[i]);
    }
    return [low, high];
  });
  const size = Math.max(...ends.map(([low, high]) => high - low)) || 1;
  return Array.from(places, (value, i) => {
    const [low, high] = ends[i % 2];
    return Math.round(STEPS * (0.5 + (value - (low + high) / 2) / size));
  });
}
