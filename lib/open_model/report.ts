/**
 * What was found in a file of weights, in a few lines.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { FoundWeights } from "../io/weights.ts";
import { headOf } from "../io/weight_names.ts";
import { shown } from "../text.ts";
import { count, many } from "../words.ts";
import type { Identified } from "./identify/types.ts";

/** Groups of names that a line lists. */
const LISTED = 4;

/** What the model in a file is, and how pictures get to it. */
export function recognisedLine(
  file: string,
  { family, names, pictures }: Identified,
  { augmentation }: Config,
): string {
  const { normalize_mean: mean, normalize_std: std, global_crop_size: size } = augmentation;
  const from = pictures.mean?.join() === mean.join() && pictures.std?.join() === std.join()
    ? pictures.from
    : "as configured";
  return `${shown(file)}: ${family}; in the names of ${names}; pictures of ${size} px, mean ${
    mean.join(", ")
  }, std ${std.join(", ")} (${from})`;
}

/** What was taken, and what became of the rest; behind "123 tensors of FILE". */
export function foundWords(found: FoundWeights, { model }: Config): string[] {
  const { missing, unused, cast, resized } = found;
  const noHead = missing.some((name) => headOf(name) === "head");
  const groups = grouped(unused), more = groups.length - LISTED;
  const listed = groups.slice(0, LISTED).join(", ") + (more > 0 ? `, and ${count(more)} more` : "");
  return [
    ...noHead ? ["it holds no head: the head starts at random"] : [],
    ...resized
      ? [
        `position embedding resampled from ${resized.from} × ${resized.from} to ` +
        `${resized.to} × ${resized.to} (${model.pos_interp})`,
      ]
      : [],
    ...[...cast].map(([dtype, tensors]) => `${many(tensors, "tensor")} cast from ${dtype} to F32`),
    ...unused.length ? [`not used: ${listed}`] : [],
  ];
}

/** Names that are alike as one: "blocks.*.attn.qkv.bias_mask (12 tensors)", "student.* (175 tensors)". */
function grouped(names: readonly string[]): string[] {
  const groups = Map.groupBy(names, (name) => name.split(".")[0]);
  return [...groups.values()].map((group) => {
    if (group.length === 1) return brief(group[0]);
    const patterns = new Set(group.map((name) => name.replace(/\.\d+(?=\.)/g, ".*")));
    const [one] = patterns;
    const words = patterns.size === 1 ? one : `${alike(group)}.*`;
    return `${brief(words)} (${many(group.length, "tensor")})`;
  });
}

const brief = (name: string) => shown(name.slice(0, 60));

/** What names begin with, all of them. */
function alike(names: readonly string[]): string {
  const [first, ...rest] = names.map((name) => name.split("."));
  let same = 1;
  while (same < first.length - 1 && rest.every((other) => other[same] === first[same])) same++;
  return first.slice(0, same).join(".");
}
