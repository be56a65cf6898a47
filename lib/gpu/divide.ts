/**
 * Dividing a dispatch: workgroups of one dispatch know nothing of each other, so that some of them can run now and
 * the others in a later submission. For that a kernel is told which of all workgroups it has.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Dispatch } from "./dispatch.ts";
import type { KernelCache, KernelSource } from "./kernel.ts";
import { roundUp } from "./tensor.ts";

/** Members that the uniforms of a divided kernel have besides its own: its first workgroup, and how many there are. */
const MEMBERS = ["part_first", "part_of"].flatMap((of) =>
  ["x", "y", "z"].map((axis) => `${of}_${axis}`)
);

/** Parts of a dispatch at most. */
const MOST = 4096;

const made = new WeakMap<KernelSource, KernelSource>();

/**
 * The same kernel for a part of its workgroups: what it reads of `workgroup_id`, `global_invocation_id` and
 * `num_workgroups` is as if all of them ran at once.
 *
 * @throws {HatchlingError} When its entry point is written otherwise than `fn main(@builtin(…) name: type, …) {`.
 */
export function partOf(source: KernelSource): KernelSource {
  const known = made.get(source);
  if (known) return known;
  const fail = (what: string): never => {
    throw new HatchlingError(`Kernel ${source.name}: expected ${what}, to divide its workgroups`);
  };
  const params = [
    ...source.params,
    ...MEMBERS.map((name) => ({ name, type: "u32" as const })),
  ];
  const struct = `struct Params { ${params.map(({ name, type }) => `${name}: ${type}`)} }`;
  const given = /\bstruct Params\s*{[^}]*}/;
  const code = given.test(source.code)
    ? source.code.replace(given, struct)
    : `${struct}\n@group(0) @binding(0) var<uniform> params: Params;\n${source.code}`;
  const [, uniforms] = code.match(/var<uniform>\s*(\w+)\s*:\s*Params\b/) ??
    fail("a uniform of struct Params");
  const of = (members: readonly string[]) =>
    `vec3u(${members.map((member) => `${uniforms}.${member}`).join(", ")})`;
  const first = of(MEMBERS.slice(0, 3)), all = of(MEMBERS.slice(3));
  const entry = /@workgroup_size\(([^)]*)\)\s*fn main\(((?:[^()]|\([^()]*\))*)\)\s*{/;
  const found = code.match(entry) ?? fail("@workgroup_size(…) fn main(…) {");
  const size = found[1].split(",").map((text) => text.trim()).filter(Boolean);
  const sizes = `vec3u(${[0, 1, 2].map((i) => size[i] ? `u32(${size[i]})` : "1u")})`;
  const lines: string[] = [];
  const inputs = found[2].replace(/\/\/.*$/gm, "").replace(
    /@builtin\((workgroup_id|global_invocation_id|num_workgroups)\)\s*(\w+)/g,
    (_, builtin, name) => {
      const shifted = {
        workgroup_id: `part_${name} + ${first}`,
        global_invocation_id: `part_${name} + ${first} * ${sizes}`,
        num_workgroups: all,
      };
      lines.push(`let ${name} = ${shifted[builtin as keyof typeof shifted]};`);
      return `@builtin(${builtin}) part_${name}`;
    },
  );
  const head = found[0].slice(0, found[0].indexOf("fn main("));
  const text = code.replace(found[0], () => `${head}fn main(${inputs}) { ${lines.join(" ")}`);
  const name = `${source.name} in parts`;
  const part = { ...source, name, code: text, files: [{ name, code: text }], params };
  made.set(source, part);
  return part;
}

/** Parts that a dispatch can be divided into at most: its workgroups, within reason. */
export function mostParts({ workgroups: [x, y, z] }: Pick<Dispatch, "workgroups">): number {
  return Math.min(MOST, x * y * z);
}

/**
 * The same work in at least `parts` dispatches, or as many as it has workgroups, which may run in any submissions and
 * any order; in itself where that is one.
 */
export function divide(kernels: KernelCache, dispatch: Dispatch, parts: number): Dispatch[] {
  const { workgroups, params, pipeline } = dispatch;
  if (Math.min(parts, mostParts(dispatch)) < 2) return [dispatch];
  const { source, constants, halves } = pipeline;
  const part = { ...kernels.get(partOf(source), constants, halves), whole: pipeline };
  const own = 4 * source.params.length;
  return boxes(workgroups, parts).map(({ first, size }) => {
    const bytes = new Uint8Array(roundUp(own + 4 * MEMBERS.length, 16));
    bytes.set(params.subarray(0, own));
    const view = new DataView(bytes.buffer);
    [...first, ...workgroups].forEach((n, j) => view.setUint32(own + 4 * j, n, true));
    const share = product(size) / product(workgroups);
    return {
      ...dispatch,
      pipeline: part,
      params: bytes,
      workgroups: size,
      flops: dispatch.flops * share,
    };
  });
}

type Triple = [number, number, number];
const product = ([x, y, z]: readonly [number, number, number]) => x * y * z;

/** A grid in at least so many boxes, cut along its longest dimensions. */
function boxes(grid: readonly [number, number, number], parts: number) {
  const longest = [0, 1, 2].sort((a, b) => grid[b] - grid[a]);
  let found = [{ first: [0, 0, 0] as Triple, size: [...grid] as Triple }];
  for (const axis of longest) {
    const cuts = Math.min(grid[axis], Math.ceil(parts / found.length));
    found = found.flatMap(({ first, size }) =>
      Array.from({ length: cuts }, (_, i) => {
        const [from, to] = [i, i + 1].map((n) => Math.floor(n * grid[axis] / cuts));
        return {
          first: first.with(axis, from) as Triple,
          size: size.with(axis, to - from) as Triple,
        };
      })
    );
  }
  return found;
}
