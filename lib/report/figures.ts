/**
 * What an evaluation found, as tables of a report.
 *
 * @module
 */
import { bestReadout } from "../eval/best_readout.ts";
import type { Figure } from "../eval/figures.ts";
import { isWhitenedName } from "../eval/readout.ts";
import { settingsOf } from "../from_config/verdict.ts";
import { escape } from "../draw/html.ts";
import { count } from "../words.ts";
import type { RunData } from "../run/data.ts";

/** The figures that tell most: k-NN by every kind of label, and views found again. */
const HEADLINE = /(^view retrieval| → .*) R@1$|k-NN \(k \d+\)$/;

/** The figures that tell most, beside those of encoders that have learned nothing. */
export function headline({ figures, evaluations }: RunData): string {
  const told = figures.filter(({ metric, percent }) => {
    return typeof percent === "number" && HEADLINE.test(metric);
  });
  if (told.length) return tables(told, 'class="headline"', true);
  const last = evaluations.at(-1);
  const now = (last?.figures ?? []).flatMap((figure): Figure[] => {
    if (!HEADLINE.test(figure.metric) || typeof figure.percent !== "number") return [];
    return [{
      ...figure,
      group: "",
      encoder: [figure.encoder, `at step ${count(last!.step)}`].filter(Boolean).join(" "),
    }];
  });
  return now.length ? table(now, 'class="headline"', true) : "";
}

/** All figures: metrics down, encoders across. */
export function evaluationTable(figures: readonly Figure[]): string {
  return figures.length ? tables(figures, "", false) : "";
}

/** Which readout is best, in a sentence. */
export function bestLine(run: RunData): string {
  const best = bestReadout(run.figures, { pictures: settingsOf(run).pictures });
  return best ? `<p class="best">${escape(best.text)}.</p>` : "";
}

/** Plain features, then whitened ones: each is compared with its like. */
function tables(figures: readonly Figure[], attributes: string, bars: boolean): string {
  const parts = [false, true].map((whitened) =>
    figures.filter(({ encoder }) => isWhitenedName(encoder) === whitened)
  );
  return parts.filter((part) => part.length).map((part) => table(part, attributes, bars)).join(
    "\n",
  );
}

function table(figures: readonly Figure[], attributes: string, bars: boolean): string {
  const encoders = [...new Set(figures.map(({ encoder }) => encoder))];
  const head = encoders.map((name) => `<th scope="col">${escape(name)}</th>`).join("");
  const groups = [...new Set(figures.map(({ group }) => group))];
  const rows = groups.flatMap((group) => {
    const own = figures.filter((figure) => figure.group === group);
    const metrics = [...new Set(own.map(({ metric }) => metric))];
    const cellsOf = new Map(own.map((f) => [JSON.stringify([f.metric, f.encoder]), f]));
    const title = !bars && group
      ? [
        `<tr class="group"><th scope="rowgroup" colspan="${encoders.length + 1}">${
          escape(group)
        }</th></tr>`,
      ]
      : [];
    return [
      ...title,
      ...metrics.map((metric) => {
        const cells = encoders.map((encoder, e) => {
          const found = cellsOf.get(JSON.stringify([metric, encoder]));
          const share = Math.min(100, Math.max(0, found?.percent ?? 0));
          const bar = bars && found
            ? `<span class="bar" style="width:${share.toFixed(1)}%"></span>`
            : "";
          return `<td${e ? ' class="other"' : ""}>${found ? textOf(found) : ""}${bar}</td>`;
        });
        return `<tr><th scope="row">${escape(metric)}</th>${cells.join("")}</tr>`;
      }),
    ];
  });
  return `<div class="scroll" tabindex="0" role="group" aria-label="figures"><table ${attributes}>
<thead><tr><td></td>${head}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table></div>`;
}

function textOf({ percent, value }: Figure): string {
  if (typeof percent === "number") return `${percent.toFixed(1)} %`;
  return typeof value === "number" ? value.toFixed(3).replace("-", "−") : "";
}
