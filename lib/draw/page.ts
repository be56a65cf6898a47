/**
 * Pages of one file, which load nothing.
 *
 * @module
 */
import type { Picture } from "../data/image.ts";
import { escape, pageMark, POLICY } from "./html.ts";
import { dataUris } from "./data_uri.ts";
import base from "./base.css" with { type: "text" };
import style from "./page.css" with { type: "text" };

/** In the head of every such page, those of look and search: by it a command knows its own page again. */
export const PAGE_MAKER = "page";
const PAGE_MARK = pageMark(PAGE_MAKER);

/** A page. */
export interface PageParts {
  title: string;
  /** Text below the title; not HTML. */
  about: string;
  /** More text below it. */
  note?: string;
  /** HTML. */
  body: string;
  /** More style. */
  style?: string;
}

/** The HTML of a page. */
export function pageOf({ title, about, note, body, style: more = "" }: PageParts): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
${PAGE_MARK}
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<style>
${base}${style}${more}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p>${escape(about)}</p>${note === undefined ? "" : `\n<p>${escape(note)}</p>`}
</header>
${body}
</body>
</html>
`;
}

/** A picture with its words. */
export interface Card {
  picture: Picture;
  /** Its name. */
  id: string;
  /** What is said of it: similarity, labels. */
  facts: string[];
  /** Marks it as the one that others belong to. */
  query?: boolean;
}

/** HTML of a picture with its words, drawn 106 pixels wide. */
export function card({ picture, id, facts, query }: Card): string {
  const value = (fact: string) => fact.replace(/^[^:]*: /, ""); // kinds of label are in the title
  const pixelated = Math.max(picture.width, picture.height) < 106 ? ' class="pixelated"' : "";
  const lines = facts.map((fact) => `<span>${escape(value(fact))}</span>`).join("");
  return `<figure${query ? ' class="query"' : ""} title="${escape([id, ...facts].join("\n"))}">` +
    `<img src="${dataUris(picture)[0]}" alt="${escape(id)}"${pixelated}>` +
    `<figcaption><b>${escape(id)}</b>${lines}</figcaption></figure>`;
}

/** Data for a page's script, which no text within it can end. */
export function embedded(id: string, data: unknown): string {
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<script type="application/json" id="${id}">${json}</script>`;
}
