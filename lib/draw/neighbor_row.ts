/**
 * A picture and those that are similar to it, as a line of a page and of a sheet.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { squareOf } from "./frame.ts";
import { type Card, card } from "./page.ts";
import type { Row } from "./contact_sheet.ts";

/** Side of a picture on page and sheet. */
export const SIDE = 112;

/** A picture that was found. */
export interface Similar extends Card {
  /** Cosine similarity. */
  similarity: number;
}

/** The line of a query: HTML of a section, and cells of a sheet. */
export function neighborRow(query: Card, found: readonly Similar[]): { section: string; row: Row } {
  const cards = found.map((one) => {
    return { ...one, facts: [`similarity ${one.similarity.toFixed(3)}`, ...one.facts] };
  });
  const all = [{ ...query, query: true }, ...cards];
  return {
    section: `<section><div class="row">${all.map(card).join("\n")}</div></section>`,
    row: {
      cells: [
        { picture: query.picture, framed: true },
        ...found.map(({ picture, similarity }) => {
          return { picture, label: similarity.toFixed(3).replace("-", "−") };
        }),
      ],
    },
  };
}

/** A picture as the model sees it, with its name and labels. */
export async function cardOf(dataset: Dataset, index: number): Promise<Card> {
  const picture = await dataset.picture(index);
  const side = Math.min(2 * SIDE, picture.width, picture.height);
  const facts = Object.entries(dataset.labels ?? {}).map(([kind, { values, names }]) =>
    `${kind}: ${names[values[index]]}`
  );
  return { picture: squareOf(picture, side), id: dataset.id(index), facts };
}
