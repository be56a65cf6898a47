/**
 * How the ranks of a run shared its work: what they sent each other, and which one was the slowest.
 *
 * @module
 */
import { median, recentLines } from "../diagnosis/curves.ts";
import type { MetricKey, MetricLine } from "../diagnosis/lines.ts";
import { rankTimes } from "../diagnosis/ranks.ts";
import { escape } from "../draw/html.ts";
import type { RunData } from "../run/data.ts";
import { bytes, count, percent, short } from "../words.ts";
import { facts } from "./html.ts";

/** Ranks of a table: of more the slowest. */
const MOST = 64;

/** Communication and own times by rank, over the recent lines; "" of a run of one rank. */
export function sharedWorkOf({ lines, parts }: RunData): string {
  const sound = lines.filter(({ non_finite }) => non_finite === undefined);
  const own = rankTimes(sound), recent = recentLines(sound);
  const sent = middle(recent, "comm_bytes"), took = middle(recent, "comm_ms");
  const places = parts.at(-1)?.ranks ?? [];
  const ranks = Math.max(own.length, places.length);
  if (ranks < 2) return "";
  const hidden = middle(recent, "comm_hidden_ms"), waited = middle(recent, "comm_wait_ms");
  const perStep = (ms?: number) => ms === undefined ? undefined : `${short(ms)} ms`;
  return [
    facts([
      ["ranks", count(ranks)],
      ["figures", recent.length ? `medians over steps ${stepsOf(recent)}` : undefined],
      ["sent per step, by each", sent === undefined ? undefined : bytes(sent)],
      ["adding up gradients, per step", perStep(took)],
      [
        "of that while the GPU worked",
        hidden !== undefined && took ? `${perStep(hidden)} (${percent(hidden / took)})` : undefined,
      ],
      ["waiting for the slowest rank, per step", perStep(waited)],
      ["slowest rank", slowestOf(own)],
    ]),
    table(own, places),
  ].join("\n");
}

function middle(lines: readonly MetricLine[], key: MetricKey): number | undefined {
  const known = lines.flatMap((line) => typeof line[key] === "number" ? [line[key]] : []);
  return known.length ? median(known) : undefined;
}

function stepsOf(lines: readonly MetricLine[]): string {
  return `${count(lines[0].step)} to ${count(lines.at(-1)!.step)}`;
}

/** "rank 2: 150 ms of its own in a step, 1.5 times the median of the others". */
function slowestOf(own: readonly number[]): string | undefined {
  const ranks = known(own);
  if (ranks.length < 2) return;
  const [{ rank, ms }, ...others] = ranks;
  const times = ms / median(others.map(({ ms }) => ms));
  return `rank ${rank}: ${short(ms)} ms of its own in a step, ${
    short(times)
  } times the median of the others`;
}

/** The slowest first. */
function known(own: readonly number[]): { rank: number; ms: number }[] {
  return own.flatMap((ms, rank) => ms > 0 ? [{ rank, ms }] : []).sort((a, b) => b.ms - a.ms);
}

function table(
  own: readonly number[],
  places: readonly { host: string; adapter?: string }[],
): string {
  const ranks = Array.from({ length: Math.max(own.length, places.length) }, (_, rank) => rank);
  const chosen = ranks.length <= MOST ? ranks : known(own).slice(0, MOST).map(({ rank }) => rank);
  const rows = chosen.map((rank) => {
    const { host = "", adapter = "" } = places[rank] ?? {}, ms = own[rank];
    const cells = [host, adapter, ms > 0 ? `${short(ms)} ms` : ""];
    return `<tr><th scope="row">rank ${rank}</th>${
      cells.map((text) => `<td>${escape(text)}</td>`).join("")
    }</tr>`;
  });
  const head = ["machine", "adapter", "own time in a step"].map((name) =>
    `<th scope="col">${name}</th>`
  );
  const more = ranks.length > chosen.length
    ? `<p>The slowest ${count(chosen.length)} of ${count(ranks.length)}.</p>`
    : "";
  return `<div class="scroll"><table><thead><tr><td></td>${head.join("")}</tr></thead><tbody>${
    rows.join("\n")
  }</tbody></table></div>${more}`;
}
