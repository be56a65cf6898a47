/**
 * The page of `deno task data preview`: one file, which loads nothing.
 *
 * @module
 */
import type { Choice } from "../../lib/preset.ts";
import type { AugmentationOptions, ViewParameters } from "../../lib/augmentation.ts";
import script from "./page.js" with { type: "text" };
import base from "../../lib/draw/base.css" with { type: "text" };
import style from "./page.css" with { type: "text" };
import {
  cropOf,
  kindOf,
  labelOf,
  nameOf,
  phrasesOf,
  settingsTable,
  tagsOf,
} from "../../lib/draw/view_words.ts";
import { many, percent } from "../../lib/words.ts";
import { escape, pageMark, POLICY } from "../../lib/draw/html.ts";

/** A picture with its views. */
export interface ShownPicture {
  id: string;
  /** Index in the data set. */
  index: number;
  /** Size that training sees. */
  width: number;
  height: number;
  /** Data URIs, one for every three channels. */
  original: string[];
  /** Views of every epoch. */
  epochs: { parameters: ViewParameters; images: string[] }[][];
}

/** Everything that is on the page. */
export interface Page {
  /** Name of the data set. */
  dataset: string;
  /** Its number of pictures. */
  length: number;
  /** Path of the configuration, or "defaults". */
  config: string;
  /** Seed of the run. */
  seed: number;
  /** The device that made the views. */
  adapter: string;
  options: AugmentationOptions;
  /** What `preset: auto` and `--budget` choose. */
  choices: readonly Choice[];
  pictures: ShownPicture[];
}

/** Widths on the page in CSS pixels: of a global view, and least of a local one. */
const GLOBAL_WIDTH = 192, LOCAL_WIDTH = 84;

/** What its head names as its maker. */
export const PREVIEW_MAKER = "preview";

/** The HTML. */
export function pageOf(page: Page): string {
  const { dataset, length, config, seed, adapter, options, choices, pictures } = page;
  const facts = [
    ["data set", `${dataset}, ${many(length, "picture")}`],
    ["configuration", config],
    ["views per picture", `${options.nGlobalCrops} global, ${options.numLocalViews} local`],
    ["seed", String(seed)],
    ["made on", adapter],
  ];
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
${pageMark(PREVIEW_MAKER)}
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Views of ${escape(dataset)}</title>
<style>
${base}${style}</style>
</head>
<body>
<header>
<h1>What training sees</h1>
<p>The views of ${
    pictures.length === 1 ? "one picture" : `${pictures.length} pictures`
  }, each as a run
with this configuration makes it: same seed, same kernels, before normalisation. A box on the original
shows where a view was cut; point at a view to see which is its own.</p>
<dl>${
    facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escape(value)}</dd></div>`).join("")
  }</dl>
</header>
<main>
${settings(options)}
${chosen(choices)}
${pictures.map((picture, i) => article(picture, i, options)).join("\n")}
</main>
<script>
${script}</script>
</body>
</html>
`;
}

function settings(options: AugmentationOptions): string {
  const { head, rows } = settingsTable(options);
  const cells = head.map((name) => name ? `<th scope="col">${name}</th>` : "<td></td>").join("");
  const body = rows.map(([name, ...values]) =>
    `<tr><th scope="row">${name}</th>${values.map((v) => `<td>${escape(v)}</td>`).join("")}</tr>`
  ).join("\n");
  return `<section class="settings" aria-labelledby="settings">
<h2 id="settings">How likely, how strong</h2>
<div class="scroll" tabindex="0" role="group" aria-labelledby="settings"><table>
<thead><tr>${cells}</tr></thead>
<tbody>
${body}
</tbody>
</table></div>
</section>`;
}

function chosen(choices: readonly Choice[]): string {
  if (!choices.length) return "";
  const rows = choices.map(({ key, value, reason }) =>
    `<tr><th scope="row">${key}</th><td>${escape(String(value))}</td><td>${
      escape(reason)
    }</td></tr>`
  ).join("\n");
  return `<section class="settings" aria-labelledby="chosen">
<h2 id="chosen">Chosen for these pictures</h2>
<div class="scroll" tabindex="0" role="group" aria-labelledby="chosen"><table>
<thead><tr><th scope="col">key</th><th scope="col">value</th><th scope="col">why</th></tr></thead>
<tbody>
${rows}
</tbody>
</table></div>
</section>`;
}

function article(picture: ShownPicture, i: number, options: AugmentationOptions): string {
  const { id, index, width, height, original, epochs } = picture;
  const symbols = original.map((uri, plane) =>
    `<symbol id="p${i}-${plane}" viewBox="0 0 ${width} ${height}"><image href="${uri}" width="${width}" ` +
    `height="${height}" preserveAspectRatio="none"/></symbol>`
  ).join("");
  return `<article aria-labelledby="h${i}">
<h2 id="h${i}">${escape(id)}</h2>
<p class="about">index ${index} · ${width} × ${height} px</p>
<svg class="store" width="0" height="0" aria-hidden="true">${symbols}</svg>
${epochs.map((_, epoch) => epochOf(picture, i, epoch, options)).join("\n")}
</article>`;
}

function epochOf(
  picture: ShownPicture,
  i: number,
  epoch: number,
  options: AugmentationOptions,
): string {
  const { id, epochs } = picture;
  const views = epochs[epoch].map(({ parameters, images }) => {
    const { view } = parameters;
    const phrases = phrasesOf(parameters), name = nameOf(view, options);
    const alt = escape(`${id}, epoch ${epoch}, ${name}: ${phrases.join(", ")}`);
    const title = escape([name, ...phrases].join("\n"));
    const least = kindOf(view, options) === "local" ? LOCAL_WIDTH : GLOBAL_WIDTH;
    const pixelated = parameters.size < least ? ' class="pixelated"' : "";
    return `<figure class="${
      kindOf(view, options)
    }" data-box="b${i}-${epoch}-${view}" title="${title}" ` +
      `tabindex="0">` +
      images.map((uri, plane) =>
        `<img src="${uri}" alt="${
          plane ? "" : alt
        }" width="${least}" height="${least}"${pixelated}>`
      ).join("") +
      `<figcaption><b>${labelOf(view, options)}</b> ${
        tagsOf(parameters).join(" · ")
      }</figcaption></figure>`;
  });
  const n = options.nGlobalCrops;
  return `<section class="epoch" aria-label="epoch ${epoch}">
<div class="source"><h3>epoch ${epoch}</h3>${source(picture, i, epoch, options)}</div>
<div class="views"><div class="row">${views.slice(0, n).join("\n")}</div>
<div class="row locals">${views.slice(n).join("\n")}</div></div>
${details(picture, epoch, options)}
</section>`;
}

/** The original with the boxes of all crops; local ones on top, as they are smaller. */
function source(
  { id, width, height, original, epochs }: ShownPicture,
  i: number,
  epoch: number,
  options: AugmentationOptions,
): string {
  const views = epochs[epoch];
  const text = Math.max(width, height) / 22;
  const boxes = views.map(({ parameters }) => {
    const { left, top, width: w, height: h } = cropOf(parameters);
    const { view } = parameters;
    return `<g class="box ${kindOf(view, options)}" id="b${i}-${epoch}-${view}">` +
      `<title>${escape([nameOf(view, options), ...phrasesOf(parameters)].join("\n"))}</title>` +
      `<rect class="halo" x="${left}" y="${top}" width="${w}" height="${h}"/>` +
      `<rect x="${left}" y="${top}" width="${w}" height="${h}"/>` +
      `<text x="${left + text / 4}" y="${top + text}" font-size="${text}">${
        labelOf(view, options)
      }` +
      `</text></g>`;
  });
  const label = escape(
    `${id}, the original, with the boxes of its ${views.length} crops in epoch ${epoch}`,
  );
  const pixelated = Math.max(width, height) < 256 ? " pixelated" : "";
  const planes = original.map((_, plane) =>
    `<svg class="original${pixelated}" viewBox="0 0 ${width} ${height}" ` +
    (plane ? 'aria-hidden="true">' : `role="img" aria-label="${label}">`) +
    `<use href="#p${i}-${plane}" width="${width}" height="${height}"/>${
      plane ? "" : boxes.join("")
    }</svg>`
  );
  return planes.join("");
}

function details({ epochs }: ShownPicture, epoch: number, options: AugmentationOptions): string {
  const rows = epochs[epoch].map(({ parameters }) => {
    const { left, top, width: w, height: h } = cropOf(parameters);
    const share = percent(w * h / (parameters.width * parameters.height));
    const [, ...rest] = phrasesOf(parameters);
    const { view } = parameters;
    return `<tr class="${kindOf(view, options)}"><th scope="row">${labelOf(view, options)}</th>` +
      `<td>${w} × ${h} at (${left}, ${top})</td><td>${share}</td>` +
      `<td>${escape(rest.join(", ") || "nothing else")}</td></tr>`;
  });
  return `<details><summary>Parameters of epoch ${epoch}</summary>
<div class="scroll" tabindex="0" role="group" aria-label="parameters of epoch ${epoch}"><table>
<thead><tr><th scope="col">view</th><th scope="col">crop, px</th><th scope="col">area</th>
<th scope="col">then, in this order</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table></div>
</details>`;
}
