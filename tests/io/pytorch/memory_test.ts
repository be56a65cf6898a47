/** What a file makes its reader keep is bounded: by its largest tensor, and by little where it is a bomb. */
import assert from "node:assert/strict";
import { path } from "../../support/runs.ts";
import { folderTest } from "../../support/permissions.ts";
import {
  archive,
  bytesOf,
  dict,
  int,
  le,
  legacy,
  MAGIC,
  pickle,
  storage,
  tensor,
  zip,
} from "../../support/pytorch_files.ts";

/** Lines of a child that opens files, and the most memory that it held, in MiB; 0 where the system does not tell. */
async function opened(files: readonly string[]): Promise<{ lines: string[]; peak: number }> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", `--preload=${path("tests/support/peak.ts")}`],
      ...[path("tests/support/open_weights.ts"), ...files],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const peak = Number(/peak (\d+) KiB/.exec(text(stderr))?.[1] ?? 0) / 1024;
  return { lines: text(stdout).trim().split("\n"), peak };
}

const MiB = 2 ** 20;

/** An older file of tensors of 16 MiB, whose storages take no room on the disk. */
async function writeLarge(file: string, count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, i) => `${i}`);
  const length = 4 * MiB;
  const large = (key: string) =>
    tensor({ of: storage({ key, length }), shape: [length], strides: [1] });
  const head = legacy(dict(...keys.map((key): [string, string] => [key, large(key)])), {
    keys: `](${keys.map((key) => `X\x01\0\0\0${key}`).join("")}e`,
    storages: "",
  });
  using to = await Deno.open(file, { write: true, create: true });
  await to.write(head);
  for (let i = 0; i < count; i++) {
    await to.write(Uint8Array.from(le(length, 8), (c) => c.charCodeAt(0)));
    await to.seek(4 * length, Deno.SeekMode.Current);
  }
  await to.truncate(head.length + count * (8 + 4 * length));
}

folderTest("a file takes the memory of its largest tensor, a bomb takes little", async (folder) => {
  const nothing = await opened([]);
  const large = `${folder}/large.pth`;
  await writeLarge(large, 8);
  const { lines, peak } = await opened([large]);
  assert.deepEqual(lines, [`read ${8 * 16 * MiB}`]);
  const bombs = {
    objects: archive("}".repeat(600_000)),
    steps: archive("]".repeat(450_000) + "N".repeat(3_600_000)),
    repeated: archive(dict(["w", tensor({ shape: [2 ** 40], strides: [0] })])),
    text: archive(`X\xff\xff\xff\xff`),
    pages: zip([["a/data.pkl", pickle("N"), { size: 0xfffffff0, method: 8 }]]),
    number: archive(
      dict(["w", tensor()], ["x", `\x8b${le(1 << 20, 4)}${"\x01".repeat(1 << 20)}`], ["y", int(1)]),
    ),
  };
  const files: string[] = [];
  for (const [name, bytes] of Object.entries(bombs)) {
    files.push(`${folder}/${name}.pth`);
    await Deno.writeFile(files.at(-1)!, bytes);
  }
  // a text of a terabyte in a file of 8 GiB, which takes no room on the disk
  files.push(`${folder}/endless.pth`);
  await Deno.writeFile(
    files.at(-1)!,
    bytesOf(MAGIC, pickle("M\xe9\x03"), pickle("}"), `\x80\x02\x8d${le(2 ** 40, 8)}`),
  );
  await Deno.truncate(files.at(-1)!, 2 ** 33);
  const refused = await opened(files);
  assert.equal(refused.lines.length, files.length);
  assert.match(refused.lines.join("\n"), /500000 objects.*\n.*4000000 steps.*\n.*repeats 4/);
  assert.deepEqual(refused.lines.at(-2), "read 16");
  assert.match(refused.lines.at(-1)!, /its object takes more than 67108864 bytes/);
  if (Deno.build.os !== "linux") return;
  assert.ok(
    peak - nothing.peak < 100,
    `${peak} MiB for tensors of 16 MiB, ${nothing.peak} for none`,
  );
  assert.ok(refused.peak - nothing.peak < 500, `${refused.peak} MiB for bombs`);
}, ["run"]);
