/** The table of published checkpoints in docs/guides/models.md, as the library reads them. */
import { identify } from "../../lib/open_model/identify/identify.ts";
import type { Checkpoint } from "./checkpoints.ts";
import { entriesOf } from "./published.ts";

/** A row for every checkpoint that is published: the command, and what the file is said to be. */
export function rowsOf(checkpoints: Readonly<Record<string, Checkpoint>>): string[] {
  return Object.entries(checkpoints).flatMap(([name, { shapes }]) => {
    if (name.includes(" ")) return []; // of somebody's own training
    const { family, model } = identify(entriesOf(shapes), { file: name });
    const positions = model.pos_interp ?? (model.pos_embed === "rope" ? "rotary" : "none");
    return `| \`deno task embed photos --out f.parquet --weights ${name}\` | ${family} | ${positions} |`;
  });
}
