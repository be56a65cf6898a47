/**
 * `deno task demo`: a page that looks, compares and trains in a tab, as a folder of static files.
 *
 * @module
 */
import { bytes, many } from "../../lib/words.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { addressOf } from "../common/dashboard/address.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { buildDemo } from "./build.ts";
import { serveDemo } from "./serve.ts";

const command = newCommand("demo")
  .description(
    "Builds a page that looks at pictures, compares them and trains in a tab: static files for any host.\n" +
      "Browsers give WebGPU to https and to this machine's own pages only.",
  )
  .option("--out <folder>", "where it goes", "demo-dist")
  .option("--model <path>", "a run's folder or a file of weights that the page opens with")
  .option("--no-emoji", "without the emoji, 10 MB that the small recipe trains on")
  .option("--serve", "then serve it at 127.0.0.1, until Ctrl-C", false)
  .option("--port <port>", "port to serve at (default: the first free one from 8642 on)")
  .parse(commandArgs(), { from: "user" });

await runCommand(async () => {
  const { out, model, emoji, serve, port } = command.opts();
  const { port: number } = addressOf(port);
  const sizes = await buildDemo({ out, model, emoji, onNote: say });
  const all = [...sizes.values()].reduce((a, b) => a + b, 0);
  print(`${out}: ${many(sizes.size, "file")}, ${bytes(all)}`);
  if (!serve) return;
  print(`page: ${serveDemo(out, number).url}`);
  await new Promise(() => {}); // until Ctrl-C
});
