/**
 * `deno task figures [--train]`: draws the figures of docs/guides.
 *
 * Those of augmentation.md go through the kernels, on the adapter here. The figure of collapses in loss.md
 * comes from docs/guides/loss-collapse.json, which `--train` makes anew: three runs of `deno task train`,
 * some minutes each on two CPU cores.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { openEmoji } from "../../lib/data/emoji.ts";
import { ensureAdapter } from "../../lib/adapter.ts";
import { openGpu } from "../../lib/gpu.ts";
import { readFile } from "../../lib/io/files.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { augmentationSheets, smallPictures } from "./augmentation.ts";
import { boxesFigure } from "./boxes.ts";
import { type CollapseData, collapseFigure, collapseRows } from "./collapse.ts";
import { trainRuns } from "./runs.ts";
import { pngOf } from "../../lib/draw/canvas.ts";
import { temperatureFigure } from "./temperature.ts";

const guides = (name: string) =>
  fileURLToPath(new URL(`../../docs/guides/${name}`, import.meta.url));

async function main(): Promise<number> {
  const { train } = newCommand("figures")
    .description("Draws the figures of docs/guides.")
    .option("--train", "make the training runs behind the figure of collapses anew")
    .parse(commandArgs(), { from: "user" })
    .opts<{ train?: boolean }>();
  await ensureAdapter({ log: say });
  const gpu = await openGpu();
  const sheets = await augmentationSheets(gpu);
  sheets["small"] = await smallPictures(gpu, await openEmoji());
  gpu.destroy();
  for (const [name, sheet] of Object.entries(sheets)) {
    await Deno.writeFile(guides(`augmentation-${name}.png`), pngOf(sheet));
  }

  const runs = guides("loss-collapse.json");
  if (train) await Deno.writeTextFile(runs, JSON.stringify(await trainRuns()));
  const data: CollapseData = JSON.parse(new TextDecoder().decode(await readFile(runs)));
  const written = {
    "augmentation-boxes.svg": boxesFigure(),
    "loss-temperature.svg": temperatureFigure(),
    "loss-collapse.svg": collapseFigure(data),
  };
  for (const [name, svg] of Object.entries(written)) await Deno.writeTextFile(guides(name), svg);
  if (train) {
    const { adapter, command } = data;
    print(["For the guide:", adapter, command, ...collapseRows(data)].join("\n"));
  }
  const files = [runs, ...Object.keys(written).map(guides)];
  const fmt = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", ...files] });
  const { code } = await fmt.spawn().status;
  return code;
}

await runCommand(main);
