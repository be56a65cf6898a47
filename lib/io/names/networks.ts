/**
 * The networks in a file: student, teacher and others, each under a prefix of its own.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { shown } from "../../text.ts";
import { type Layout, layoutOf } from "./layouts.ts";

/** A tensor as a header describes it. */
interface Described {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A backbone in a file, with all that lies beside it. */
export interface Network<T extends Described = Described> {
  /** What stands before the names of the backbone, e.g. `teacher.backbone.`. */
  readonly prefix: string;
  /** How the backbone's tensors are called. */
  readonly layout: Layout;
  /** Tensors by their names without the prefix, blocks ungrouped; heads are `head.…` and `ibot_head.…`. */
  readonly tensors: ReadonlyMap<string, T>;
  /** Tensors of the file that are outside this network. */
  readonly others: readonly T[];
}

/** Tensors that every backbone has one of; what stands before is its prefix. */
const ANCHOR =
  /^(.*?)((embeddings\.)?(cls_token|patch_embeddings(\.projection)?\.weight)|patch_embed\.proj\.weight)$/;
/** A residual network's first layer. */
const FIRST = /^(.*?)conv1\.weight$/;

/** What a checkpoint calls an average of weights over time, the one to use. */
const AVERAGED = /teacher|(^|[._])ema([._]|$)|momentum/;
/** Teachers that are no result: DINOv3's anchor of Gram matrices, and others' that are distilled from. */
const ASIDE = /gram|anchor|distill/;

/** Heads by their names in DINO, iBOT, DINOv2 and here. */
const HEADS: readonly [RegExp, string][] = [
  [/^(dino_head|head)\.(?=mlp\.|last_layer\.)/, "head."],
  [/^ibot_head\./, "ibot_head."],
  [/^contrastive_head\./, "contrastive_head."],
];

/**
 * Finds the backbone to take.
 *
 * @param file How messages call the file.
 * @param part Whose it shall be: `student`, `teacher`, or what stands before its names; by default the teacher's
 * before one that is neither, and that before the student's. `backbone` behind it or alone leaves heads out, `head`
 * takes them; nothing said, those beside a backbone without a prefix are taken: files of this project.
 * @throws {HatchlingError} When there is none, or more than one to choose from.
 */
export function findNetwork<T extends Described>(
  file: string,
  tensors: Iterable<T>,
  part?: string,
): Network<T> {
  const all = [...tensors], names = new Set(all.map(({ name }) => name));
  const { whose, heads } = partOf(part);
  const prefixes = prefixesIn(names);
  const fitting = prefixes.filter((prefix) => whose === undefined || isOf(prefix, whose));
  if (whose !== undefined && !fitting.length) {
    throw new HatchlingError(
      `Expected a network ${shown(whose)} in ${shown(file)} but found ${
        prefixes.length ? listed(prefixes) : "none that has a name"
      }`,
    );
  }
  const best = Math.min(...fitting.map(rank));
  const first = fitting.filter((prefix) => rank(prefix) === best);
  if (first.length > 1) {
    throw new HatchlingError(
      `Expected one network in ${shown(file)} but found ${
        listed(first)
      }: name one behind the file, ` +
        `${shown(file)}#${shown(first.find(Boolean)!.replace(/\.$/, ""))}`,
    );
  }
  const prefix = first[0] ?? commonPrefix(names);
  return networkAt(file, all, prefix, heads ?? prefix === "");
}

const listed = (prefixes: readonly string[]) =>
  prefixes.map((prefix) => shown(JSON.stringify(prefix.replace(/\.$/, "").slice(0, 60)))).join(
    ", ",
  );

/** `student.backbone` is the student's without its heads, `student.head` with them. */
function partOf(part = ""): { whose?: string; heads?: boolean } {
  const [, whose, what] = /^(.*?)(?:(?:^|\.)(backbone|head))?$/.exec(part)!;
  return { whose: whose || undefined, heads: what ? what === "head" : undefined };
}

const isOf = (prefix: string, whose: string) =>
  prefix === `${whose}.` || prefix.startsWith(`${whose}.`) ||
  prefix.split(/[._]/).includes(whose) && !ASIDE.test(prefix);

/** The lower, the sooner it is taken. */
function rank(prefix: string): number {
  if (ASIDE.test(prefix)) return 3;
  return AVERAGED.test(prefix) ? 0 : prefix.includes("student") ? 2 : 1;
}

/** What stands before the names of backbones. */
function prefixesIn(names: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const name of names) {
    const prefix = ANCHOR.exec(name)?.[1];
    // A decoder that is trained along, and the states of optimisers, which repeat the names of parameters.
    if (prefix !== undefined && !/decoder|exp_avg|optimizer|momentum_buffer/.test(prefix)) {
      found.add(prefix);
    }
    const first = FIRST.exec(name)?.[1];
    if (first !== undefined && names.has(`${first}layer1.0.conv1.weight`)) found.add(first);
  }
  return [...found];
}

/** Words that wrap whole models; a file whose names have no anchor may still begin with them. */
function commonPrefix(names: ReadonlySet<string>): string {
  const prefix = /^((module|_orig_mod|backbone|teacher|model|state_dict)\.)*/;
  const found = new Set([...names].map((name) => prefix.exec(name)![0]));
  return found.size === 1 ? [...found][0] : "";
}

function networkAt<T extends Described>(
  file: string,
  all: readonly T[],
  prefix: string,
  heads: boolean,
): Network<T> {
  const tensors = new Map<string, T>(), others: T[] = [];
  const around = prefix.replace(/[^.]+\.$/, ""); // heads stand beside the backbone, or in it
  for (const tensor of all) {
    const { name } = tensor;
    const head = headName(name, prefix) ?? headName(name, around);
    const inside = name.startsWith(prefix) ? ungrouped(name.slice(prefix.length)) : undefined;
    const known = head === undefined ? inside : heads ? head : undefined;
    if (known === undefined) others.push(tensor);
    else if (!tensors.has(known)) tensors.set(known, tensor);
    else {
      throw new HatchlingError(
        `Expected each parameter once in ${shown(file)} but found two tensors of ${
          shown(known)
        }: ` +
          `${shown(tensors.get(known)!.name)} and ${shown(name)}`,
      );
    }
  }
  return { prefix, layout: layoutOf((name) => tensors.get(name)?.shape), tensors, others };
}

/** A head's parameter by its name here; weight norm's newer names are those of its older form. */
function headName(name: string, prefix: string): string | undefined {
  if (!name.startsWith(prefix)) return;
  const rest = name.slice(prefix.length);
  for (const [pattern, ours] of HEADS) {
    if (!pattern.test(rest)) continue;
    return rest.replace(pattern, ours)
      .replace(/parametrizations\.weight\.original0$/, "weight_g")
      .replace(/parametrizations\.weight\.original1$/, "weight_v");
  }
}

/**
 * A name without what only groups blocks: DINOv2 trains them in chunks, `blocks.CHUNK.BLOCK.…`, where the block's index
 * counts through all of them; newer versions of Hugging Face's DINOv3 have `model.` before their layers.
 */
function ungrouped(name: string): string {
  return name.replace(/^blocks\.\d+\.(\d+)\./, "blocks.$1.").replace(/^model\.layer\./, "layer.");
}
