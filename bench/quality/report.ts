/**
 * A comparison in words.
 *
 * @module
 */
import { figureTable } from "../../lib/eval/figures.ts";
import { table } from "../report.ts";
import { curveMetrics, sharesApart, type Summary } from "./results.ts";

/** Everything of it as text for a terminal. */
export function reportText({ setup, ...found }: Summary): string {
  const { names } = setup;
  const parts = [
    `${setup.command}\n${setup.adapter}; ${setup.machine}; PyTorch ${setup.torch}, ${setup.threads} ` +
    `thread${setup.threads === 1 ? "" : "s"}\n` +
    `${found.steps} of ${setup.steps} steps, ${setup.stepsPerEpoch} an epoch; ${setup.data}; ` +
    `feature: ${setup.feature}`,
    "Loss, mean of the epoch" +
    (names.length > 1 ? " (mean distance to the first's, step by step)\n" : "\n") +
    lossTable(names, found.epochs),
    ...found.epochs.every(({ contrastive }) => contrastive) && found.epochs.length
      ? [
        "InfoNCE, the same\n" +
        lossTable(names, found.epochs.map((e) => ({ ...e, ...e.contrastive }))),
      ]
      : [],
    ...names.length > 1
      ? [
        "Relative difference of the first loss to the first's: " +
        found.firstLoss.slice(1).map((x, i) => `${names[i + 1]} ${x.toExponential(1)}`).join(", "),
      ]
      : [],
  ];
  const last = found.evaluations.at(-1);
  if (last) {
    for (const metric of curveMetrics(last.figures)) {
      const of = (figures: typeof last.figures, name: string) =>
        figures.find((f) => f.metric === metric && f.encoder === name)?.percent?.toFixed(1) ?? "";
      parts.push(
        `${metric}, %\n` + table(
          ["step", ...names],
          found.evaluations.map(({ step, figures }) => [
            `${step}`,
            ...names.map((name) => of(figures, name)),
          ]),
        ),
      );
    }
    if (names.length > 1) {
      parts.push(
        "Largest difference of any share to the first's, points\n" +
          table(
            ["step", ...names.slice(1)],
            found.evaluations.map(({ step, figures }) => [
              `${step}`,
              ...sharesApart(figures, names).slice(1).map((d) => d.toFixed(2)),
            ]),
          ),
        "Distance of the evaluated weights to the first's, over the way that the first has come\n" +
          table(
            ["step", ...names.slice(1)],
            found.evaluations.filter(({ step }) => step > 0).map(({ step, distance }) => [
              `${step}`,
              ...distance.slice(1).map((d) => d?.toPrecision(3) ?? ""),
            ]),
          ),
      );
    }
    parts.push(
      `After step ${last.step}\n${figureTable([...last.figures, ...setup.baseline])}`,
      "Largest difference between PyTorch's own figures and lib/eval's of the same features: " +
        `${Math.max(...found.evaluations.map((e) => e.crossCheck)).toFixed(3)} points`,
    );
  }
  if (found.stepMs.length) {
    parts.push(
      "Milliseconds of a step, medians of one run in turns (each waited for): " +
        found.stepMs.map((ms, i) => `${names[i]} ${ms.toFixed(0)}`).join(", ") +
        `; the crops ${found.cropsMs.toFixed(0)}`,
    );
  }
  return parts.join("\n\n");
}

function lossTable(names: string[], epochs: { epoch: number; loss: number[]; apart: number[] }[]) {
  return table(
    ["epoch", ...names],
    epochs.map(({ epoch, loss, apart }) => [
      `${epoch}`,
      ...loss.map((x, i) => x.toFixed(4) + (i ? ` (${apart[i].toExponential(1)})` : "")),
    ]),
  );
}
