/**
 * `deno task look prototypes`: the pictures that the head's most used output dimensions take.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { type PrototypeUsage, prototypeUsage } from "../../lib/eval/prototypes.ts";
import type { Encoder } from "../../lib/eval/encoder.ts";
import { shown } from "../../lib/text.ts";
import { MOST_ON_PAGE } from "../common/numbers.ts";
import { print } from "../common/terminal.ts";
import { count, many, percent } from "../../lib/words.ts";
import { cardOf } from "../../lib/draw/neighbor_row.ts";
import type { Output } from "./output.ts";
import { card, pageOf } from "../../lib/draw/page.ts";
import type { Session } from "../../lib/session.ts";
import { contactSheet, type Row } from "../../lib/draw/contact_sheet.ts";

/** Options of the command. */
export interface PrototypeLookOptions {
  /** Where the results go. */
  out: Output;
  /** So many of the most used prototypes. */
  prototypes: number;
  /** Pictures of each. */
  images: number;
  /** Take only so many pictures of the set. */
  maxImages?: number;
  /** The weights are the student's, whose output is not centred. */
  student?: boolean;
}

const SIDE = 96;

/** Rows of the sheet; the page has all. */
const MOST_ROWS = 100;

/** Writes a sheet and a page, and says where they are. */
export async function lookPrototypes(
  session: Session,
  _paths: readonly string[],
  options: PrototypeLookOptions,
): Promise<void> {
  if (options.prototypes * options.images > MOST_ON_PAGE) {
    throw new HatchlingError(
      `Expected --prototypes × --images of at most ${MOST_ON_PAGE} but found ${options.prototypes} × ` +
        `${options.images}: a page has to show them all`,
    );
  }
  const { loaded, config } = session;
  const { model, center, hasHead, file } = loaded;
  if (!hasHead) {
    throw new HatchlingError(
      `Expected the weights of a head in ${
        shown(file)
      } but found none: prototypes are its output dimensions, ` +
        "name a run or a checkpoint",
    );
  }
  const dataset = await session.dataset();
  const { gpu, params } = await session.gpu();
  const encoder: Encoder = {
    name: loaded.name,
    size: model.backbone.imageSize,
    imageBytes: 4 * model.backbone.largest,
    encode: (images) => model.bottleneck(gpu, params, [images]).bottleneck,
  };
  const { indices, raw } = await session.encode(
    dataset,
    encoder,
    options.maxImages ?? config.evaluation.max_images,
  );
  const { student = false } = options;
  const temperature = student ? config.loss.student_temp : config.loss.teacher_temp;
  const centered = !student && config.loss.centering !== "none";
  const kept = config.loss.centering === "center" ? center : undefined;
  const usage = await prototypeUsage(gpu, raw.whole, model.head!.lastLayer(params), {
    temperature,
    center: centered ? kept ?? "mean" : null,
    most: options.prototypes,
    pictures: Math.min(options.images, indices.length),
  });

  const rows: Row[] = [], sections: string[] = [];
  for (const { index, count: taken, rows: found, probability } of usage.prototypes) {
    const cells: Row["cells"] = [], cards: string[] = [];
    for (const [j, row] of found.entries()) {
      const one = await cardOf(dataset, indices[row]);
      cells.push({ picture: one.picture, label: probability[j].toFixed(3) });
      cards.push(card({ ...one, facts: [`p ${probability[j].toFixed(3)}`, ...one.facts] }));
    }
    const share = percent(taken / indices.length);
    rows.push({ title: `#${index} · ${count(taken)} pictures, ${share}`, cells });
    sections.push(
      `<section><h2>#${index}<small>most probable for ${
        many(taken, "picture")
      }, ${share}</small></h2>` +
        `<div class="row">${cards.join("\n")}</div></section>`,
    );
  }
  const K = usage.counts.length;
  const which = !centered
    ? "no centre"
    : kept
    ? "the run's centre"
    : "the mean of these logits as centre";
  const facts =
    `${count(usage.used)} of ${count(K)} prototypes are the most probable one of some picture. ` +
    `Entropy of the mean distribution ${usage.meanEntropy.toFixed(2)} of ln K = ${
      Math.log(K).toFixed(2)
    }, of a ` +
    `picture's ${usage.entropy.toFixed(2)}.`;
  const { out: output } = options;
  const sheet = await output.png("sheet", contactSheet(rows.slice(0, MOST_ROWS), SIDE));
  const page = await output.text(
    "prototypes.html",
    pageOf({
      title: "Prototypes",
      about: `${file}, ${many(indices.length, "picture")} of ${dataset.name}, temperature ` +
        `${temperature}, ${which}. ${facts}`,
      body:
        `<main><section><h2>Use<small>pictures per prototype, the most used first</small></h2>` +
        `${chart(usage)}</section>\n${sections.join("\n")}</main>`,
    }),
  );
  print(`${shown(page)}\n${shown(sheet)}\n${facts}`);
}

/** Sorted counts as an area: every prototype a step. */
function chart({ counts, used }: PrototypeUsage): string {
  const [width, height, left, bottom] = [1000, 190, 44, 24];
  const sorted = counts.slice().sort().reverse(), most = sorted[0];
  const x = (k: number) => left + k * (width - left - 8) / sorted.length;
  const y = (n: number) => 8 + (height - bottom - 8) * (1 - n / most);
  const steps = Array.from(sorted, (n, k) => `V${y(n).toFixed(1)}H${x(k + 1).toFixed(1)}`);
  const path = `M${left} ${y(0)}${steps.join("")}V${y(0)}Z`;
  const text = (at: number, line: number, words: string, anchor: string) =>
    `<text x="${at}" y="${line}" text-anchor="${anchor}">${words}</text>`;
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="pictures per prototype">` +
    `<path d="${path}"/><line x1="${left}" x2="${width - 8}" y1="${y(0)}" y2="${y(0)}"/>` +
    text(left - 6, y(most) + 8, count(most), "end") + text(left - 6, y(0), "0", "end") +
    text(left, height - 6, "1", "start") +
    text(width - 8, height - 6, count(sorted.length), "end") +
    (used < sorted.length * 0.9
      ? `<line x1="${x(used)}" x2="${x(used)}" y1="${y(most)}" y2="${y(0) + 6}"/>` +
        text(x(used) + 5, y(most) + 10, `${count(used)} in use`, "start")
      : "") +
    "</svg>";
}
