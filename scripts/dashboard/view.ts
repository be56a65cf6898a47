/**
 * What the page is told of a run, in words and numbers that it only has to show.
 *
 * @module
 */
import { capital, clock } from "../../lib/words.ts";
import { type Diagnosis, remedyTitle, type Tone } from "../../lib/diagnosis.ts";
import type { RunData } from "../../lib/run/data.ts";
import { encoderName, isNetworkName } from "../../lib/eval/readout.ts";
import { networkOf, readoutOf } from "../../lib/from_config.ts";
import { diagnosisOf } from "../../lib/from_config/verdict.ts";
import type { End, Status } from "../common/dashboard/protocol.ts";
import type { Entry } from "./runs.ts";

/** Milliseconds from 1970 beyond which there is no date. */
const LAST_DAY = 8.64e15;

/** Where a run stands. */
export type State = "running" | "paused" | "finished" | "stopped" | "failed";

/** A run, as the page shows it. */
export interface RunView {
  /** Names it in requests. */
  id: string;
  /** Name of its folder. */
  name: string;
  /** Where it stands. */
  state: State;
  /** The same in words. */
  text: string;
  /** What it shows on its own screen, where it is this process's. */
  line?: string;
  /** Steps done. */
  step: number;
  /** Steps to do, where they are known. */
  total?: number;
  /** Time to the end, and speed. */
  pace: string;
  /** The last loss. */
  loss?: number;
  /** The diagnosis. */
  verdict: string;
  /** How it is to be shown. */
  tone: Tone;
  /** What the verdict rests on. */
  evidence: string[];
  /** What to change first, or what helps, with these words before it. */
  remedy: string;
  /** The last evaluation. */
  evaluation?: { title: string; rows: [metric: string, value: string][] };
  /** Rising steps of the pictures of its attention. */
  snapshots: number[];
  /** What could not be read. */
  notes: string[];
  /** Changes with the data: charts are out of date then. */
  version: number;
  /** Whether it is this process's. */
  hosted: boolean;
  /** Whether the buttons are for it. */
  controlled: boolean;
  /** The last checkpoint that was asked for here. */
  saved?: number;
}

/** What the run itself tells, where it is this process's. */
export interface Live {
  /** What it shows on its screen. */
  line?: string;
  /** How far it is. */
  status?: Status;
  /** How it ended. */
  end?: End;
}

/** Diagnoses of what was read: made once, however often it is told. */
const diagnoses = new WeakMap<RunData, Diagnosis>();

function knownDiagnosisOf(data: RunData): Diagnosis {
  const known = diagnoses.get(data);
  if (known) return known;
  const made = diagnosisOf(data);
  diagnoses.set(data, made);
  return made;
}

/** Makes the view of a run. */
export function viewOf({ id, data, version, written }: Entry, live?: Live): RunView {
  const { lines, config, totalSteps, evaluations, snapshots, notes } = data;
  const last = lines.at(-1);
  const diagnosis = knownDiagnosisOf(data);
  const { verdict, tone, evidence, remedy, slowRank } = diagnosis;
  const step = live?.status?.step ?? last?.step ?? 0;
  const total = live?.status?.total ?? totalSteps;
  const state = stateOf(data, live);
  const speed = last?.images_per_second;
  const batch = config && config.data.batch_size * config.training.gradient_accumulation_steps;
  const eta = live?.status?.eta ??
    (total && speed && batch ? (total - step) * batch / speed : undefined);
  const goesOn = state === "running" || state === "paused";
  const pace = [
    ...goesOn && eta !== undefined && Number.isFinite(eta) && total !== step
      ? [`${clock(eta)} to go`]
      : [],
    ...speed ? [`${speed.toFixed(0)} images/s`] : [],
    ...typeof last?.epoch === "number" ? [`epoch ${last.epoch.toFixed(2)}`] : [],
  ].join(", ");
  const text = textOf(state, { step, total, written, live, bad: last?.non_finite });
  const evaluated = evaluations.at(-1);
  const teacher = teachersOf(data);
  const isLast = teacher.length > 0 && (data.finished || !evaluated);
  const rows = isLast ? teacher : evaluated?.figures ?? [];
  return {
    id,
    name: data.name,
    state,
    text,
    line: goesOn && !live?.line?.startsWith("step ") ? live?.line : undefined, // that is in the view itself
    step,
    total,
    pace,
    loss: lines.findLast(({ loss }) => typeof loss === "number")?.loss ?? undefined,
    verdict,
    tone,
    evidence: slowRank ? [...evidence, slowRank.evidence] : evidence,
    remedy: remedy && `${capital(remedyTitle(diagnosis))}: ${remedy}`,
    evaluation: rows.length
      ? {
        title: isLast ? `of ${teacher[0].encoder}` : `at step ${evaluated!.step}`,
        rows: rows.map(({ metric, percent, value }) => [
          metric,
          percent !== undefined ? `${percent.toFixed(1)} %` : value?.toPrecision(4) ?? "",
        ]),
      }
      : undefined,
    snapshots: snapshots.map(({ step }) => step),
    notes,
    version,
    hosted: !!live,
    controlled: !!live && !live.end,
    saved: live?.status?.saved,
  };
}

/** Figures of the teacher's features that the run reads out, else of the first ones there are. */
function teachersOf({ config, figures }: Entry["data"]): Entry["data"]["figures"] {
  const names = new Set(
    figures.map(({ encoder }) => encoder).filter((name) => {
      return isNetworkName(name);
    }),
  );
  const own = config && encoderName(networkOf(config), readoutOf(config));
  const [first] = own !== undefined && names.has(own) ? [own] : names;
  return figures.filter(({ encoder }) => encoder === first);
}

function stateOf({ running, finished, lines }: Entry["data"], live?: Live): State {
  if (live?.end) {
    const { code, error } = live.end;
    return code === 0 ? "finished" : error || code < 128 ? "failed" : "stopped";
  }
  if (live) return live.status?.paused ? "paused" : "running";
  if (running) return "running";
  if (lines.at(-1)?.non_finite) return "failed";
  return finished ? "finished" : "stopped";
}

function textOf(
  state: State,
  { step, total, written, live, bad }: {
    step: number;
    total?: number;
    written?: number;
    live?: Live;
    bad?: string;
  },
): string {
  const time = written === undefined || !(Math.abs(written) < LAST_DAY)
    ? ""
    : new Date(written).toISOString().slice(0, 16);
  const since = time && `; last written ${time.replace("T", " ")} UTC`;
  const goOn = "go on with --resume";
  if (live?.end?.error) return live.end.error;
  if (state === "finished") return "finished";
  if (state === "failed" && bad) return `ended by a number that was not finite, in ${bad}`;
  if (state === "failed") return `ended with status ${live!.end!.code}: ${goOn}`;
  if (state === "stopped") return `stopped after step ${step}: ${goOn}${live ? "" : since}`;
  if (state === "paused") return "paused: it waits, and keeps its memory";
  return step && step === total
    ? "running: judging what it has learned"
    : `running${live ? "" : since}`;
}
