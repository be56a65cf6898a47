/**
 * Pictures of a report: attention over time, neighbours, augmented views.
 *
 * @module
 */
import { join } from "node:path";
import { escape } from "../draw/html.ts";
import { count, many } from "../words.ts";
import { image } from "./html.ts";
import {
  type AugmentedSample,
  type ShownNeighbor,
  type Snapshot,
  SNAPSHOT_FOLDER,
  SNAPSHOT_HEADS,
  SNAPSHOT_PICTURES,
} from "../run/left.ts";
import type { RunData, RunExtras } from "../run/data.ts";
import { linked } from "./links.ts";
import type { Drawn } from "./drawn.ts";

/** HTML, and text about it. */
type Part = [content: string, about?: string];

/** Most moments on a page; all of them are in the folder. */
const MOMENTS = 12;

/** Moments that a page shows: evenly spread, the first and the last among them. */
export function shownMoments(snapshots: readonly Snapshot[]): Snapshot[] {
  const n = snapshots.length;
  if (n <= MOMENTS) return [...snapshots];
  return Array.from(
    { length: MOMENTS },
    (_, i) => snapshots[Math.round(i * (n - 1) / (MOMENTS - 1))],
  );
}

/** Paths of the images that a page needs, and whether they are rows of pictures. */
export function imagesOf({ folder, snapshots }: RunData): { path: string; isRow: boolean }[] {
  if (!snapshots.length) return [];
  const below = join(folder, SNAPSHOT_FOLDER);
  return [
    { path: join(below, SNAPSHOT_PICTURES), isRow: true },
    { path: join(below, SNAPSHOT_HEADS), isRow: false },
    ...shownMoments(snapshots).map(({ path }) => ({ path, isRow: true })),
  ];
}

/** Names of the pictures that a page speaks of. */
export function namesOf({ skipped, samples: { augmentation = [], neighbors } }: RunExtras) {
  return [
    ...skipped.first.map(({ file }) => file),
    ...augmentation.map(({ id }) => id),
    ...(neighbors?.rows ?? []).flatMap((row) => [row.query, ...row.neighbors].map(({ id }) => id)),
  ];
}

/** Attention from the first moment to the last. */
export function attentionOf(run: RunData, images: ReadonlyMap<string, string>): Part {
  const { folder, snapshots, stepsPerEpoch } = run;
  const file = (name: string) => images.get(join(folder, SNAPSHOT_FOLDER, name));
  const moments = shownMoments(snapshots).flatMap(({ step, path }) => {
    const uri = images.get(path);
    if (!uri) return [];
    const epoch = stepsPerEpoch ? ` <span>epoch ${(step / stepsPerEpoch).toFixed(1)}</span>` : "";
    const alt = `attention of the class token after step ${step}`;
    return [
      `<figure>${image(uri, alt)}<figcaption><b>step ${
        count(step)
      }</b>${epoch}</figcaption></figure>`,
    ];
  });
  if (!moments.length) return [""];
  const pictures = file(SNAPSHOT_PICTURES), heads = file(SNAPSHOT_HEADS);
  const first = pictures
    ? `<figure>${image(pictures, "the pictures")}<figcaption><b>pictures</b></figcaption></figure>`
    : "";
  return [
    `<div class="moments" role="group" aria-label="attention over time">${first}${
      moments.join("\n")
    }</div>` +
    (heads
      ? `<h3>At the end: the picture, the mean, each head</h3><div class="scroll">${
        image(heads, "attention of every head at the end", 'class="whole"')
      }</div>`
      : ""),
    "How much the class token of the teacher's last block attends to each patch, the mean over its heads. " +
    "Bright: the most attended patch of each map.",
  ];
}

/** Queries with their neighbours. */
export function neighborsOf({ samples: { neighbors }, links }: Drawn): Part {
  if (!neighbors?.rows.length) return [""];
  const shown = ({ id, facts, image: uri, similarity }: ShownNeighbor, query: boolean) => {
    const lines = [...similarity === undefined ? [] : [similarity.toFixed(3)], ...facts];
    const spans = lines.map((line) => `<span>${escape(line.replace(/^[^:]*: /, ""))}</span>`);
    return `<figure${query ? ' class="query"' : ""} title="${escape([id, ...lines].join(" · "))}">${
      image(uri, id)
    }<figcaption><b>${linked(id, links)}</b>${spans.join("")}</figcaption></figure>`;
  };
  const rows = neighbors.rows.map(({ query, neighbors }) =>
    `<div class="views"><div class="row">${shown(query, true)}${
      neighbors.map((one) => shown(one, false)).join("\n")
    }</div></div>`
  );
  return [
    rows.join("\n"),
    `The most similar of ${
      many(neighbors.pictures, "picture")
    } to the framed one, by the cosine of the ` +
    `final teacher's features${
      neighbors.readout === undefined ? "" : ` (${escape(neighbors.readout)})`
    }.`,
  ];
}

/** Pictures with their views. */
export function augmentationOf({ samples: { augmentation = [] }, links }: Drawn): Part {
  const rows = augmentation.map((sample) => {
    const views = sample.views.map(({ label, words, tags, local, size, image: uri }) =>
      `<figure${local ? ' class="local"' : ""} title="${escape([label, ...words].join(" · "))}">${
        image(uri, `${sample.id}: ${label}`, size < 112 ? 'class="pixelated"' : "")
      }<figcaption><b>${escape(label)}</b>${escape(tags.join(" · "))}</figcaption></figure>`
    );
    return `<div class="views">${original(sample, links)}${views.join("\n")}</div>`;
  });
  return [
    rows.join("\n"),
    "Some pictures with the views of the first epoch, as the kernels of training make them, before " +
    "normalisation. Boxes show where they were cut: blue global, orange local.",
  ];
}

function original(
  { id, width, height, image: uri, views }: AugmentedSample,
  links: Drawn["links"],
): string {
  const boxes = views.map(({ box: [x, y, w, h], local }) =>
    `<rect${local ? ' class="local"' : ""} x="${x}" y="${y}" width="${w}" height="${h}"/>`
  );
  const [w, h] = [width, height];
  const zoom = 160 / Math.max(w, h);
  return `<figure title="${escape(id)}"><svg viewBox="0 0 ${w} ${h}" width="${
    Math.round(w * zoom)
  }" height="${Math.round(h * zoom)}" role="img" aria-label="${escape(id)}"><image href="${
    escape(uri)
  }" width="${w}" height="${h}" preserveAspectRatio="none"/>${boxes.join("")}</svg>` +
    `<figcaption><b>${linked(id, links)}</b></figcaption></figure>`;
}
