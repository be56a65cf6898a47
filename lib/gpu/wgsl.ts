/**
 * What a kernel's text says of its arguments: the members of `struct Params`, the storage bindings, the overrides.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** Types that a member of `Params` may have; each takes four bytes. */
export type MemberType = "u32" | "i32" | "f32";

/** A member of `struct Params`. */
export interface Member {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: MemberType;
}

/** A storage binding, from number 1 on. */
export interface Binding {
  /** Its name. */
  readonly name: string;
  /** Whether the kernel writes to it. */
  readonly writable: boolean;
  /** Whether it may hold halves: its elements are of `NAME_vec4` or `NAME_real`, which the dispatch decides. */
  readonly halves: boolean;
}

/** What a kernel takes. */
export interface KernelInterface {
  /** The members of `Params`, in order. */
  readonly params: readonly Member[];
  /** The storage bindings 1…n, in order. */
  readonly bindings: readonly Binding[];
  /** Names of its override constants. */
  readonly overrides: ReadonlySet<string>;
}

const BINDING =
  /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<\s*(uniform|storage)\s*(?:,\s*(\w+)\s*)?>\s*(\w+)(?:\s*:\s*array<\s*(\w+)\s*>)?/g;

/**
 * Reads a kernel's arguments from its text. Every kernel has its uniforms, `var<uniform> params: Params`, at
 * binding 0 of group 0 and tensors at 1…n.
 *
 * @throws {HatchlingError} When the text is laid out otherwise.
 */
export function interfaceOf(name: string, text: string): KernelInterface {
  const code = text.replace(/\/\*[^]*?\*\//g, "").replace(/\/\/.*$/gm, "");
  const fail = (what: string): never => {
    throw new HatchlingError(`Kernel ${name}: expected ${what}`);
  };
  const members = code.match(/\bstruct Params\s*{([^}]*)}/)?.[1] ?? fail("struct Params");
  const params = members.split(",").map((text) => text.trim()).filter(Boolean).map((text) => {
    const [, member, type] = text.match(/^(\w+)\s*:\s*(u32|i32|f32)$/) ??
      fail(`members of Params to be u32, i32 or f32 but found ${text}`);
    return { name: member, type: type as MemberType };
  });
  const bindings: Binding[] = [];
  for (const [, group, number, space, access, variable, element = ""] of code.matchAll(BINDING)) {
    if (group !== "0") fail(`all bindings in group 0 but found ${variable} in ${group}`);
    if (space === "uniform") {
      if (number !== "0") fail(`the uniforms at binding 0 but found ${variable} at ${number}`);
      continue;
    }
    const [, owner] = element.match(/^(\w+)_(?:vec4|real)$/) ?? [];
    if (owner !== undefined && owner !== variable) {
      fail(
        `${variable} to be an array of ${variable}_vec4 or ${variable}_real but found ${element}`,
      );
    }
    bindings[Number(number) - 1] = {
      name: variable,
      writable: access === "read_write",
      halves: owner !== undefined,
    };
  }
  if (bindings.includes(undefined as never) || !bindings.length) {
    fail("storage bindings 1…n without a gap");
  }
  const overrides = new Set([...code.matchAll(/\boverride\s+(\w+)/g)].map(([, name]) => name));
  return { params, bindings, overrides };
}
