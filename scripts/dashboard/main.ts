/**
 * `deno task dashboard [RUN…|FOLDER OF RUNS]`: a page with the curves of runs that are going or over.
 *
 * @module
 */
import { addressOf, isLoopback, LOOPBACK } from "../common/dashboard/address.ts";
import { Runs } from "./runs.ts";
import { Dashboard } from "./server.ts";
import { newToken } from "../common/dashboard/token.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";

const command = newCommand("dashboard")
  .description(
    "Serves a page with the curves of runs, going or over, one or several over each other.\n" +
      "It ends with Ctrl-C; the runs know nothing of it.",
  )
  .argument("[runs...]", "folders of runs, or folders with runs in them (default: runs)")
  .option("--port <port>", "port to listen at (default: the first free one from 8642 on)")
  .option(
    "--host <address>",
    `address of this machine to listen at (default: ${LOOPBACK}, which no other machine reaches)`,
  )
  .parse(commandArgs(), { from: "user" });

await runCommand(async () => {
  const { port, host } = command.opts<{ port?: string; host?: string }>();
  const address = addressOf(port, host);
  const runs = new Runs(command.args.length ? command.args : ["runs"]);
  await runs.check();
  const token = newToken(Deno.env.get("HATCHLING_DASHBOARD_TOKEN"));
  print(`dashboard: ${await new Dashboard({ runs, token }).listen(address)}`);
  if (!isLoopback(address.host)) {
    say(
      `warning: whoever reaches ${address.host} on the network and knows that URL sees these runs; ` +
        "it is not encrypted",
    );
  }
  await new Promise(() => {}); // until Ctrl-C
});
