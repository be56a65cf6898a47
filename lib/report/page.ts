/**
 * The page of a report: one file, which loads nothing.
 *
 * @module
 */
import { resnetLayers } from "../config/backbones.ts";
import { remedyTitle } from "../diagnosis.ts";
import { escape } from "../draw/html.ts";
import { capital, clock, count } from "../words.ts";
import { pageOf } from "../draw/page.ts";
import { diagnosisOf } from "../from_config/verdict.ts";
import { bestLine, evaluationTable, headline } from "./figures.ts";
import { list, section } from "./html.ts";
import type { RunData } from "../run/data.ts";
import type { Drawn } from "./drawn.ts";
import { attentionOf, augmentationOf, neighborsOf } from "./pictures.ts";
import { sharedWorkOf } from "./ranks.ts";
import { machineOf, timesOf } from "./record.ts";
import script from "./page.js" with { type: "text" };
import style from "./page.css" with { type: "text" };

/** The HTML of a report. */
export function reportPage(run: RunData, drawn: Drawn): string {
  const { name, config, yaml, notes, figures } = run, { curves, images } = drawn;
  const charts = curves.map((svg) => `<div>${svg}</div>`).join("\n");
  const marks = [
    "Pale: as logged. Strong: the mean around.",
    run.parts.some(({ step }) => step) && "Dashed: the run went on from a checkpoint.",
    run.bad.length > 0 && "Red: numbers that were not finite.",
  ];
  const body = [
    summary(run),
    section("curves", "Curves", charts && `<div class="curves">${charts}</div>`, words(marks)),
    section("attention", "Attention over time", ...attentionOf(run, images)),
    section("neighbours", "Nearest neighbours", ...neighborsOf(drawn)),
    section("augmentation", "What training sees", ...augmentationOf(drawn)),
    section("evaluation", "Evaluation", evaluationTable(figures)),
    section("run", "The run", machineOf(run, drawn)),
    section("ranks", "Ranks", sharedWorkOf(run), RANKS),
    section(
      "config",
      "Configuration",
      yaml === undefined
        ? ""
        : `<details><summary>config.yaml${
          config ? "" : ", which this version does not understand"
        }</summary><pre>${yaml.split("\n").map(escape).join("\n")}</pre></details>`,
    ),
    section("notes", "What could not be read", list(notes)),
  ];
  return pageOf({
    title: name,
    about: aboutOf(run),
    body: `<main>\n${body.filter(Boolean).join("\n")}\n</main>\n<script>\n${script}</script>`,
    style,
  });
}

/** What its figures mean. */
const RANKS =
  "Each rank took its part of every batch. Its own time is that of a step up to its gradients, without waiting for others.";

function words(sentences: readonly (string | false | undefined)[]): string {
  return sentences.filter(Boolean).join(" ");
}

function aboutOf({ config, parts }: RunData): string {
  const data = parts.at(-1)?.data;
  const { model } = config ?? {};
  return words([
    data?.pictures !== undefined && `${count(data.pictures)} pictures of ${data.name ?? "?"}.`,
    model &&
    (resnetLayers(model.backbone)
        ? `ResNet-${resnetLayers(model.backbone)}; `
        : `ViT of ${model.depth} blocks, dimension ${model.dim}, ${model.heads} heads, patches of ` +
          `${model.patch_size} px; `) + `${count(model.projection_output_dim)} prototypes.`,
  ]);
}

/** Verdict, how far it came, what it learned. */
function summary(run: RunData): string {
  const { lines, totalSteps, stepsPerEpoch } = run;
  const diagnosis = diagnosisOf(run);
  const { verdict, tone, evidence, remedy, risks, slowRank } = diagnosis;
  const step = lines.at(-1)?.step ?? 0;
  const { seconds } = timesOf(run);
  const state = run.finished ? "finished" : run.running ? "still going" : "not finished";
  const far = [
    state,
    `step ${count(step)}${totalSteps ? ` of ${count(totalSteps)}` : ""}`,
    stepsPerEpoch && `epoch ${(step / stepsPerEpoch).toFixed(1)}`,
    seconds > 0 && `${clock(seconds)} of training`,
  ];
  const share = totalSteps ? Math.min(100, 100 * step / totalSteps) : 0;
  const more = [
    remedy && `<h3>${capital(remedyTitle(diagnosis))}</h3>${list([remedy])}`,
    risks.length && `<h3>Risky settings, whatever the curves say</h3>${list(risks)}`,
    slowRank && `<h3>A slow rank</h3>${list([slowRank.evidence, slowRank.remedy])}`,
  ];
  return `<section id="summary" aria-label="summary">
<p class="verdict ${tone}">${escape(verdict)} <small>${
    escape(far.filter(Boolean).join(" · "))
  }</small></p>
${totalSteps ? `<div class="far"><span style="width:${share.toFixed(1)}%"></span></div>` : ""}
${headline(run)}
${bestLine(run)}
${list(evidence)}
${more.filter(Boolean).join("\n")}
</section>`;
}
