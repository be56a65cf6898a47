/**
 * How a run was made: machine, code, pictures, times.
 *
 * @module
 */
import { escape } from "../draw/html.ts";
import { bytes, count, many, short } from "../words.ts";
import type { RunData } from "../run/data.ts";
import type { StartedPart } from "../run/shapes.ts";
import { facts } from "./html.ts";
import { linked } from "./links.ts";
import type { Drawn } from "./drawn.ts";

/** Limits of an adapter, and starts, that are shown. */
const MOST_LIMITS = 12, MOST_STARTS = 50;

/** How long a run took, as far as its lines tell. */
export interface Times {
  /** Seconds of training, evaluations meanwhile included, of the steps that counted. */
  seconds: number;
  /** Steps that they are of. */
  steps: number;
}

/** A line tells the speed since its part of the run began, and so the time. */
export function timesOf({ lines, parts, config }: RunData): Times {
  if (!config) return { seconds: 0, steps: 0 };
  const batch = config.data.batch_size * config.training.gradient_accumulation_steps;
  const starts = parts.map(({ step }) => step ?? 0);
  let seconds = 0, steps = 0;
  starts.forEach((start, i) => {
    const end = Math.min(Infinity, ...starts.slice(i + 1));
    const last = lines.findLast(({ step, images_per_second: speed }) =>
      step > start && step <= end && typeof speed === "number" && speed > 0
    );
    if (!last) return;
    seconds += (last.step - start) * batch / last.images_per_second!;
    steps += last.step - start;
  });
  return { seconds, steps };
}

/** Tables of what made the run. */
export function machineOf(run: RunData, { skipped, links }: Drawn): string {
  const { lines, parts, config } = run;
  const part: StartedPart = parts.at(-1) ?? {};
  const numbers = (key: "data_wait_ms" | "gpu_bytes" | "process_bytes" | "images_per_second") =>
    lines.flatMap((line) => typeof line[key] === "number" ? [line[key]!] : []);
  const peak = (key: "gpu_bytes" | "process_bytes") => {
    const most = numbers(key).reduce((a, b) => Math.max(a, b), 0);
    return most ? bytes(most) : undefined;
  };
  const { seconds, steps } = timesOf(run);
  const waits = numbers("data_wait_ms").toSorted((a, b) => a - b);
  const speed = numbers("images_per_second").at(-1);
  const step = seconds / steps;
  const adapter = part.adapter ?? {};
  const batch = config && config.data.batch_size * config.training.gradient_accumulation_steps;
  return [
    facts([
      ["time", steps ? `${duration(seconds)} for ${many(steps, "step")}` : undefined],
      [
        "a step",
        steps
          ? `${step < 1 ? `${short(1000 * step)} ms` : `${short(step)} s`}${
            batch ? ` for ${many(batch, "picture")}` : ""
          }`
          : undefined,
      ],
      ["images/s", speed ? short(speed) : undefined],
      [
        "waiting for pictures",
        waits.length ? `${short(waits[waits.length >> 1])} ms per step (median)` : undefined,
      ],
      ["buffers on the GPU, at most", peak("gpu_bytes")],
      ["memory of the process, at most", peak("process_bytes")],
    ]),
    "<h3>Machine</h3>",
    facts([
      [
        "adapter",
        adapter.description &&
        `${adapter.description}${adapter.software ? " (software)" : ""}`,
      ],
      [
        "limits",
        adapter.limits &&
        Object.entries(adapter.limits).slice(0, MOST_LIMITS).map(([name, value]) => {
          return `${name} ${/Size$/.test(name) ? bytes(value) : value}`;
        }).join(", "),
      ],
      ["system", part.system],
      ["Deno", part.deno],
    ]),
    "<h3>Pictures</h3>",
    facts([
      ["data set", part.data?.name],
      ["pictures", part.data?.pictures === undefined ? undefined : count(part.data.pictures)],
      ["fingerprint", part.data?.fingerprint],
      ["left out", many(skipped.count, "file")],
    ]),
    leftOut(skipped, links),
    parts.length ? "<h3>Started</h3>" : "",
    facts(
      parts.slice(-MOST_STARTS).map((one) => {
        return [(one.started ?? "").slice(0, 19).replace("T", " "), startOf(one)];
      }),
    ),
  ].join("\n");
}

/** The first files that were left out, with links to those that are there. */
function leftOut({ count, first }: Drawn["skipped"], links: Drawn["links"]): string {
  if (!first.length) return "";
  const items = first.map(({ file, reason }) =>
    `<li>${linked(file, links)}: ${escape(reason)}</li>`
  );
  const rest = count > first.length
    ? `<li>all of them are in <a href="skipped.jsonl">skipped.jsonl</a></li>`
    : "";
  return `<ul class="files">${items.join("\n")}${rest}</ul>`;
}

function startOf({ command = [], step, code, folder }: StartedPart): string {
  const version = code && `version ${code.version}${code.commit ? `, commit ${code.commit}` : ""}`;
  return [
    `deno task train ${command.map(quoted).join(" ")}`,
    step ? `after step ${count(step)}` : undefined,
    version,
    folder && `in ${folder}`,
  ].filter(Boolean).join(" · ");
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${short(seconds)} s`;
  if (seconds < 7200) return `${short(seconds / 60)} min`;
  return `${short(seconds / 3600)} h`;
}
