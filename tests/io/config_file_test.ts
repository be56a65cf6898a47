import assert from "node:assert/strict";
import { join } from "node:path";
import { parseOverrides } from "../../lib/config.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { folderTest } from "../support/permissions.ts";

const TEXT = "data: {path: Bilder/größe, batch_size: 4}\n";

/** A text in UTF-16, with its mark if wanted. */
function utf16(text: string, little: boolean, mark = true): Uint8Array {
  const units = [...mark ? ["\ufeff"] : [], ...text.split("")].map((c) => c.charCodeAt(0));
  return Uint8Array.from(units.flatMap((u) => little ? [u & 255, u >> 8] : [u >> 8, u & 255]));
}

folderTest("readConfig() reads UTF-8 and marked UTF-16", async (folder) => {
  const file = join(folder, "a.yaml");
  const utf8 = new TextEncoder().encode(TEXT);
  const marked = Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8);
  for (const bytes of [utf8, marked, utf16(TEXT, true), utf16(TEXT, false)]) {
    await Deno.writeFile(file, bytes);
    const { config, given } = await readConfig(file);
    assert.equal(config.data.path, "Bilder/größe");
    assert.deepEqual([...given], [["data.path", "Bilder/größe"], ["data.batch_size", 4]]);
  }
});

folderTest("readConfig() names other encodings and the remedy", async (folder) => {
  const file = join(folder, "a.yaml");
  const latin1 = Uint8Array.from(TEXT, (c) => c.charCodeAt(0));
  await Deno.writeFile(file, latin1);
  await assert.rejects(readConfig(file), {
    name: "HatchlingError",
    message:
      /UTF-8 in .*a\.yaml but found the byte 0xf6 at byte 22, line 1: likely Latin-1 .*iconv/,
  });
  await Deno.writeFile(file, utf16("data: {batch_size: 4}", true, false));
  await assert.rejects(readConfig(file), { name: "HatchlingError", message: /UTF-16LE.*iconv/ });
});

folderTest("readConfig() refuses what is no configuration before it reads it", async (folder) => {
  const file = join(folder, "a.yaml");
  await assert.rejects(readConfig(file), { message: /a\.yaml: it does not exist: check the path/ });
  await assert.rejects(readConfig(folder), { message: /expected a file but found a folder/ });
  await Deno.writeFile(file, new Uint8Array());
  await Deno.truncate(file, 10 * 2 ** 30); // takes no room on the disk
  await assert.rejects(readConfig(file), {
    name: "HatchlingError",
    message: /a\.yaml: expected at most 262144 bytes but found 10737418240: is it the right file\?/,
  });
});

folderTest("readConfig() names the file that a misspelt one means", async (folder) => {
  for (const name of ["tiny.yaml", "dino-small.yml", "tinny.txt"]) {
    await Deno.writeTextFile(join(folder, name), "{}");
  }
  await Deno.mkdir(join(folder, "tinnies.yaml"));
  const cases = { "tinny.yaml": "tiny.yaml", "tiny.yml": "tiny.yaml", "tiny": "tiny.yaml" };
  for (const [asked, meant] of Object.entries({ ...cases, "dino_smal.yaml": "dino-small.yml" })) {
    await assert.rejects(readConfig(join(folder, asked)), {
      name: "HatchlingError",
      message: `Cannot read ${
        join(folder, asked)
      }: it does not exist: check the path; did you mean ${join(folder, meant)}?`,
    });
  }
  for (const far of ["emoji.yaml", "none/tiny.yaml"]) {
    await assert.rejects(readConfig(join(folder, far)), { message: /exist: check the path$/ });
  }
});

folderTest("readConfig() refuses a pipe that nobody writes to", async (folder) => {
  if (Deno.build.os === "windows") return;
  const file = join(folder, "a.yaml");
  const made = await new Deno.Command("mkfifo", { args: [file] }).output();
  assert(made.success);
  await assert.rejects(readConfig(file), {
    message: /expected a regular file but found a device, pipe/,
  });
}, ["run"]);

folderTest("readConfig() hands on overrides and warnings", async (folder) => {
  const file = join(folder, "a.yaml");
  await Deno.writeTextFile(file, "loss: {teacher_temp: 0.2}\n");
  const lines: string[] = [];
  const { overrides } = parseOverrides(["--data.batch_size", "8"]);
  const { config, given } = await readConfig(file, {
    overrides,
    onWarning: (line) => lines.push(line),
  });
  assert.equal(config.data.batch_size, 8);
  assert.deepEqual([...given], [["loss.teacher_temp", 0.2], ["data.batch_size", 8]]);
  assert.equal(lines.length, 1);
  assert(lines[0].startsWith(`${file}:1:22: loss.teacher_temp: 0.2 is above `), lines[0]);
});
