/**
 * The commands of `hatchling`: what they are for, where they are, and what they may do.
 *
 * @module
 */

/** One of them. */
export interface Command {
  /** What it does, in a line. */
  about?: string;
  /** The permissions that it keeps, as its task has them; all of them unless told. */
  keeps?: readonly Deno.PermissionName[];
  /** Loads its module, which runs it and ends the process. */
  load: () => Promise<unknown>;
}

const FILES = ["read", "write", "env"] as const;

/** All of them; imports are written out, as a compiled program holds only what is found so. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  setup: {
    about: "gets what is downloaded once: emoji, MNIST, a driver for CPUs",
    load: () => import("../setup/main.ts"),
  },
  doctor: {
    about: "tells what this machine offers, or what state a run is in",
    load: () => import("../doctor/main.ts"),
  },
  prove: {
    about: "proves that this machine computes right, kernel by kernel",
    load: () => import("../prove/main.ts"),
  },
  config: {
    about: "prints a configuration to begin with",
    keeps: ["read", "env"],
    load: () => import("../config/main.ts"),
  },
  data: {
    about: "checks, measures and shows pictures before training",
    load: () => import("../data/main.ts"),
  },
  plan: {
    about: "says what a run will need before it is started",
    load: () => import("../plan/main.ts"),
  },
  train: {
    about: "trains a model on pictures, without labels and without a network",
    keeps: [...FILES, "sys", "run", "ffi"],
    load: () => import("../train/main.ts"),
  },
  dashboard: {
    about: "serves a page with the curves of runs",
    keeps: ["read", "net", "env"],
    load: () => import("../dashboard/main.ts"),
  },
  report: {
    about: "makes a page of a run, with its curves",
    keeps: FILES,
    load: () => import("../report/main.ts"),
  },
  evaluate: {
    about: "measures what features are worth",
    load: () => import("../evaluate/main.ts"),
  },
  look: {
    about: "shows what a model sees: attention, PCA, neighbours, maps",
    load: () => import("../look/main.ts"),
  },
  embed: {
    about: "writes the features of pictures",
    load: () => import("../embed/main.ts"),
  },
  search: {
    about: "finds similar pictures, and duplicates",
    load: () => import("../search/main.ts"),
  },
  export: {
    about: "writes a model for other software",
    keeps: FILES,
    load: () => import("../export/main.ts"),
  },
  // What `train --dashboard` starts beside itself; nobody types it.
  "serve-run": { keeps: ["read", "net"], load: () => import("../dashboard/serve.ts") },
};

/** Names of those that people type. */
export const NAMES: readonly string[] = Object.keys(COMMANDS).filter((name) =>
  COMMANDS[name].about
);

/** Permissions that can be given away; Deno's types leave the last one out. */
const PERMISSIONS = ["read", "write", "net", "env", "sys", "run", "ffi", "import"];

/** Gives away what a command does without; its workers have no more than it. */
export async function giveAway({ keeps }: Command): Promise<void> {
  if (!keeps) return;
  for (const name of PERMISSIONS) {
    if ((keeps as readonly string[]).includes(name)) continue;
    await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
  }
}
