/**
 * Races inside a workgroup, found whatever the adapter does: a kernel is rewritten so that it notes who reads and
 * writes which element between which barriers, and run.
 *
 * Two invocations race when they touch the same element between the same two barriers and one of them writes. Many
 * adapters, software ones above all, run invocations in an order in which a missing barrier changes nothing; here the
 * order does not matter, since each access is first noted and then compared with what the others have noted.
 *
 * @module
 */
import type { KernelSource } from "../gpu.ts";
import { HatchlingError } from "../errors.ts";
import { interfaceOf } from "../gpu/wgsl.ts";

/** Words at the head of the notes: races found, then variable, element and the two invocations of the first one. */
export const HEAD = 8;
/** Words for where the notes of each variable begin. */
const VARIABLES = 16;
/** Elements of a variable in workgroup memory, at most: 32 KiB of f32. */
const MOST = 8192;
/** Workgroups whose memory is watched. */
const WATCHED = 8;

/** A kernel that notes its accesses, and what it watches, in the order of their numbers. */
export interface Watched {
  source: KernelSource;
  /** Names of variables; those in workgroup memory come first. */
  variables: string[];
  /** How many of them are in workgroup memory. */
  shared: number;
}

/** Whether invocations of a kernel share memory that barriers guard. */
export function sharesMemory({ code }: Pick<KernelSource, "code">): boolean {
  return /var<workgroup>|Barrier\(\)/.test(code);
}

const HELPERS = /* wgsl */ `
var<private> race_id: u32;
var<private> race_group: u32;
var<private> race_phase: u32;
var<private> race_storage_phase: u32;

fn race_found(v: u32, i: u32, other: u32) {
  if (atomicAdd(&race_notes[0], 1u) == 0u) {
    atomicStore(&race_notes[1], v);
    atomicStore(&race_notes[2], i);
    atomicStore(&race_notes[3], race_id);
    atomicStore(&race_notes[4], (other & 0x7ffu) - 1u);
  }
}
// Group, phase and invocation in one word; 0x7ff stands for several invocations.
fn race_word(shared_memory: bool) -> u32 {
  let phase = select(race_storage_phase, race_phase, shared_memory);
  return ((race_group & 0x3ffu) << 22u) | ((phase & 0x7ffu) << 11u) | (race_id + 1u);
}
fn race_clash(mine: u32, other: u32, shared_memory: bool) -> bool {
  if (other == 0u || mine == other) { return false; }
  if ((mine >> 22u) != (other >> 22u)) { return !shared_memory; }
  return ((mine ^ other) & 0x3ff800u) == 0u && (mine & 0x7ffu) != (other & 0x7ffu);
}
fn race_at(v: u32, i: u32, shared_memory: bool) -> u32 {
  let base = atomicLoad(&race_notes[${HEAD}u + v]);
  return base + 2u * (i + select(0u, race_group * ${MOST}u, shared_memory));
}
fn race_read(i: u32, v: u32, shared_memory: bool) -> u32 {
  if (shared_memory && race_group >= ${WATCHED}u) { return i; }
  let at = race_at(v, i, shared_memory);
  let mine = race_word(shared_memory);
  let before = atomicLoad(&race_notes[at + 1u]);
  if (before != 0u && (before >> 11u) == (mine >> 11u) && before != mine) {
    atomicStore(&race_notes[at + 1u], mine | 0x7ffu);
  } else {
    atomicStore(&race_notes[at + 1u], mine);
  }
  let writer = atomicLoad(&race_notes[at]);
  if (race_clash(mine, writer, shared_memory)) { race_found(v, i, writer); }
  return i;
}
fn race_write(i: u32, v: u32, shared_memory: bool) -> u32 {
  if (shared_memory && race_group >= ${WATCHED}u) { return i; }
  let at = race_at(v, i, shared_memory);
  let mine = race_word(shared_memory);
  let writer = atomicExchange(&race_notes[at], mine);
  if (race_clash(mine, writer, shared_memory)) { race_found(v, i, writer); }
  let reader = atomicLoad(&race_notes[at + 1u]);
  if (race_clash(mine, reader, shared_memory)) { race_found(v, i, reader); }
  return i;
}
// Additions of several invocations do not race with each other.
fn race_add(v: u32) {
  let at = race_at(v, 0u, true);
  let mine = race_word(true);
  if (race_group >= ${WATCHED}u) { return; }
  atomicStore(&race_notes[at], mine | 0x7ffu);
  let reader = atomicLoad(&race_notes[at + 1u]);
  if (race_clash(mine | 0x7ffu, reader, true)) { race_found(v, 0u, reader); }
}
fn race_load(v: u32) {
  if (race_group >= ${WATCHED}u) { return; }
  _ = race_read(0u, v, true);
}
fn race_barrier() {
  workgroupBarrier();
  race_phase++;
}
fn race_storage_barrier() {
  storageBarrier();
  race_storage_phase++;
}
`;

/** Rewrites a kernel. */
export function watch({ name, code: whole, subgroups }: KernelSource): Watched {
  let code = whole.replace(/\/\/.*$/gm, "");
  const shared = [...code.matchAll(/var<workgroup>\s+(\w+)/g)].map(([, variable]) => variable);
  const atomics = new Set(
    [...code.matchAll(/var<workgroup>\s+(\w+)\s*:\s*atomic/g)].map(([, variable]) => variable),
  );
  const storage = interfaceOf(name, code).bindings.filter(({ writable }) => writable)
    .map((binding) => binding.name);
  const variables = [...shared, ...storage];
  // A parameter or a local of that name would pass for it.
  const shadows = variables.find((variable) =>
    new RegExp(`(?:[(,]\\s*|\\b(?:let|const|var)\\s+)${variable}\\s*[:=]`).test(code)
  );
  if (shadows) {
    throw new HatchlingError(
      `Kernel ${name}: expected ${shadows} to be one variable alone but found a parameter or a local of that name: ` +
        "rename it, so that accesses can be told apart",
    );
  }
  variables.forEach((variable, v) => {
    const inGroup = v < shared.length;
    code = atomics.has(variable)
      ? watchAtomic(code, variable, v)
      : watchArray(code, variable, v, inGroup);
  });
  code = code.replaceAll("workgroupBarrier()", "race_barrier()")
    .replaceAll("storageBarrier()", "race_storage_barrier()");
  const { bindings } = interfaceOf(name, code);
  const notes = `@group(0) @binding(${bindings.length + 1}) var<storage, read_write> race_notes: ` +
    "array<atomic<u32>>;\n";
  code = notes + HELPERS + intoMain(rolled(name, code));
  const label = `${name}, watched for races`;
  const files = [{ name: label, code }];
  const source = { name: label, code, files, subgroups, ...interfaceOf(label, code) };
  return { source, variables, shared: shared.length };
}

/** Wraps every index of an array. */
function watchArray(code: string, variable: string, v: number, inGroup: boolean): string {
  const start = new RegExp(`\\b${variable}\\[`, "g");
  let out = "", from = 0;
  for (let found = start.exec(code); found; found = start.exec(code)) {
    const open = found.index + found[0].length;
    const close = closing(code, open, "[", "]");
    const inner = watchArray(code.slice(open, close), variable, v, inGroup);
    // What follows, past components and elements of the element.
    const rest = code.slice(close + 1).replace(/^(\.\w+|\[[^\]]*\])*\s*/, "");
    const written = /^([-+*/|&^]?=)(?!=)/.exec(rest)?.[1];
    let index = `u32(${inner})`;
    if (written !== "=") index = `race_read(${index}, ${v}u, ${inGroup})`;
    if (written) index = `race_write(${index}, ${v}u, ${inGroup})`;
    out += code.slice(from, open) + index;
    from = close;
    start.lastIndex = close;
  }
  return out + code.slice(from);
}

/** Notes additions to an atomic, and loads of it. */
function watchAtomic(code: string, variable: string, v: number): string {
  return code
    .replace(new RegExp(`atomicAdd\\(&${variable},`, "g"), (text) => `race_add(${v}u); ${text}`)
    .replace(
      new RegExp(`atomicLoad\\(&${variable}\\)`, "g"),
      (text) => `race_value(${v}u, ${text})`,
    ) +
    "\nfn race_value(v: u32, value: u32) -> u32 {\n  race_load(v);\n  return value;\n}\n";
}

function closing(code: string, at: number, open: string, close: string): number {
  for (let depth = 1; at < code.length; at++) {
    if (code[at] === open) depth++;
    else if (code[at] === close && --depth === 0) return at;
  }
  return at;
}

/**
 * Loops with an end that no compiler knows: unrolled, with the notes of every access, some kernels take a software
 * adapter's compiler a minute.
 */
function rolled(name: string, code: string): string {
  const count = interfaceOf(name, code).params.find(({ type }) => type === "u32");
  if (!count) return code;
  // 0, as no count is so large; and the same for all, as loops with barriers ask for.
  return code.replace(/;\s*(\w+) < ([^;]+);/g, `; $1 < ($2) + (params.${count.name} >> 31u);`);
}

/** Tells the helpers who an invocation is, in main's first lines. */
function intoMain(code: string): string {
  const head = code.indexOf("fn main(") + "fn main(".length;
  const end = closing(code, head, "(", ")");
  let parameters = code.slice(head, end).trim().replace(/,$/, "");
  const nameOf = (builtin: string, type: string) => {
    const known = new RegExp(`@builtin\\(${builtin}\\)\\s+(\\w+)`).exec(parameters);
    if (known) return known[1];
    const own = `race_${builtin}`;
    parameters += `${parameters ? ", " : ""}@builtin(${builtin}) ${own}: ${type}`;
    return own;
  };
  const local = nameOf("local_invocation_index", "u32");
  const [group, groups] = [nameOf("workgroup_id", "vec3u"), nameOf("num_workgroups", "vec3u")];
  const body = code.indexOf("{", end) + 1;
  return code.slice(0, head) + parameters + code.slice(end, body) +
    `\n  race_id = ${local};` +
    `\n  race_group = (${group}.z * ${groups}.y + ${group}.y) * ${groups}.x + ${group}.x;` +
    code.slice(body);
}

/** The words of the notes before the kernel runs: where each variable's begin. */
export function notesFor(watched: Watched, sizes: readonly number[]): Uint32Array<ArrayBuffer> {
  let at = HEAD + VARIABLES;
  const starts = watched.variables.map((_, v) => {
    const start = at;
    at += 2 * (v < watched.shared ? WATCHED * MOST : sizes[v - watched.shared]);
    return start;
  });
  const notes = new Uint32Array(at);
  notes.set(starts, HEAD);
  return notes;
}

/** What the notes say, in words; empty where nothing raced. */
export function raceIn({ variables }: Watched, notes: Uint32Array): string {
  const [count, v, i, a, b] = notes;
  if (!count) return "";
  const other = b === 0x7fe ? "others" : `invocation ${b}`;
  return `${
    variables[v]
  }[${i}]: expected a barrier between accesses but found invocation ${a} and ${other} ` +
    `at it between the same two, and one of them writes: ${count} times; a race`;
}
