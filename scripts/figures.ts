/**
 * `deno task figures [--train]`: draws the figures of docs/guides/loss.md.
 *
 * The figure of collapses comes from docs/guides/loss-collapse.json, which `--train` makes anew: three
 * runs of `deno task train`, some minutes each on two CPU cores.
 *
 * @module
 */
import { Command } from "commander";
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../lib/errors.ts";
import { type CollapseData, collapseFigure, collapseRows } from "./figures/collapse.ts";
import { trainRuns } from "./figures/runs.ts";
import { temperatureFigure } from "./figures/temperature.ts";

const guides = (name: string) =>
  fileURLToPath(new URL(`../docs/guides/loss-${name}`, import.meta.url));

const { train } = new Command("figures")
  .description("Draws the figures of docs/guides/loss.md.")
  .option("--train", "make the training runs behind them anew")
  .parse(["deno", "figures", ...Deno.args])
  .opts<{ train?: boolean }>();

try {
  const runs = guides("collapse.json");
  if (train) await Deno.writeTextFile(runs, JSON.stringify(await trainRuns()));
  const data: CollapseData = JSON.parse(await Deno.readTextFile(runs));
  const written = { "temperature.svg": temperatureFigure(), "collapse.svg": collapseFigure(data) };
  for (const [name, svg] of Object.entries(written)) await Deno.writeTextFile(guides(name), svg);
  if (train) {
    const { adapter, command } = data;
    console.log(["For the guide:", adapter, command, ...collapseRows(data)].join("\n"));
  }
  const files = [runs, ...Object.keys(written).map(guides)];
  const fmt = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", ...files] });
  const { code } = await fmt.spawn().status;
  Deno.exit(code);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
