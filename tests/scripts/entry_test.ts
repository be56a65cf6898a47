/** Each command's file says under Node and Bun what to do; under Deno it starts the command. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import deno from "../../deno.json" with { type: "json" };
import { permissionTest } from "../support/permissions.ts";

const SCRIPTS = fileURLToPath(new URL("../../scripts/", import.meta.url));
/** With its comments taken away. */
const codeOf = (name: string) =>
  readFileSync(`${SCRIPTS}${name}.ts`, "utf8").replace(/\/\*[^]*?\*\//g, "").trim();

/** Names of the files in scripts/ that only start a command. */
const entries = () =>
  readdirSync(SCRIPTS).flatMap((name) => name.match(/^(\w+)\.ts$/)?.[1] ?? [])
    .filter((name) => codeOf(name).includes('"Deno" in globalThis'));

permissionTest(["read"], "a command's file has no import that Node would stumble over", () => {
  const names = entries();
  assert.ok(names.length >= 3);
  for (const name of names) {
    const [first, second, ...more] = codeOf(name).split("\n");
    assert.equal(first, `if ("Deno" in globalThis) import("./${name}/main.ts");`);
    const command = name.replace("_", ":"); // build:npm
    const sentence = `Hatchling runs on Deno: npx -y deno@2.9.6 task ${command}`;
    assert.ok(second.startsWith(`else throw new Error("${sentence}`), second);
    assert.deepEqual(more, []);
    const task = (deno.tasks as Record<string, string>)[command];
    assert.match(task, new RegExp(` scripts/${name}\\.ts$`));
  }
});

permissionTest(["run", "read"], "Node gets a sentence", async () => {
  for (const name of entries()) {
    const command = new Deno.Command("node", {
      args: [`${SCRIPTS}${name}.ts`, "configs/small.yaml"],
      stdin: "null",
    });
    const output = await command.output().catch(() => undefined);
    if (!output) return; // no Node here
    assert.equal(output.code, 1);
    const text = new TextDecoder().decode(output.stderr);
    assert.match(text, /^Error: Hatchling runs on Deno: npx -y deno@2\.9\.6 task /m);
  }
});
