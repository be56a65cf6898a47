/**
 * Which programs started this one, and whether they still live: npx, for one, passes no signal on, and leaves
 * a run behind that nobody can see any more.
 *
 * @module
 */

import { readProc } from "../../lib/io/proc.ts";

/** A process, told from a later one of the same number by its start. */
export interface Process {
  /** Its number. */
  pid: number;
  /** Its name. */
  name: string;
  /** When it started, in ticks since the machine did. */
  start: string;
  /** Number of its parent. */
  parent: number;
}

/** Programs that run others in their own name; a shell counts only between two of them. */
const LAUNCHER =
  /^(deno|node|npm|npx|pnpm|yarn|bun|mpirun|mpiexec|orterun|orted|prterun|prted|prte)/;
const SHELL = /^(sh|dash|bash|ash|zsh|busybox)$/;

/** Reads /proc; undefined where it does not exist, or the process doesn't. */
export function processOf(pid: number): Process | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (!text) return;
  const end = text.lastIndexOf(")"); // a name may hold anything
  const fields = text.slice(end + 2).split(" ");
  if (fields[0] === "Z") return; // dead, but not yet buried
  const name = text.slice(text.indexOf("(") + 1, end);
  return { pid, name, parent: Number(fields[1]), start: fields[19] };
}

/** Whether a process still lives. Where there is no /proc, whether it is still the parent. */
export function lives({ pid, start }: Process): boolean {
  return start ? processOf(pid)?.start === start : Deno.ppid === pid;
}

/**
 * The parent, and above it every launcher up to the last one in a row. A run that outlives its terminal on
 * purpose (setsid, a service) keeps its shell out of this: only launchers count then.
 */
export function launchers(
  pid: number = Deno.ppid,
  read: (pid: number) => Process | undefined = processOf,
  detached: boolean = read(Deno.pid) ? leadsSession() : false,
): Process[] {
  const chain: Process[] = [];
  for (let at = pid; at > 1;) {
    const process = read(at);
    if (!process) break;
    chain.push(process);
    at = process.parent;
  }
  if (!chain.length) return pid > 1 ? [{ pid, name: "the parent", start: "", parent: 0 }] : [];
  let last = detached ? 0 : 1;
  for (let i = 0; i < chain.length; i++) {
    if (LAUNCHER.test(chain[i].name)) last = i + 1;
    else if (!SHELL.test(chain[i].name)) break;
  }
  return chain.slice(0, last);
}

/** Whether this process leads a session: then it is meant to live on when its terminal goes. */
function leadsSession(): boolean {
  const stat = readProc("/proc/self/stat");
  return Number(stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[3]) === Deno.pid;
}
