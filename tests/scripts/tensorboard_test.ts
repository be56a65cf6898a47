/** TensorBoard's event files, beside the bytes that TensorBoard 2.21.0 itself writes. */
import assert from "node:assert/strict";
import { EventFile } from "../../scripts/train/tensorboard.ts";
import {
  maskedCrc,
  scalarsRecord,
  startRecord,
  versionRecord,
} from "../../scripts/train/tfevents.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { RunLog } from "../../scripts/train/run_log.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import { folderTest } from "../support/permissions.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();
const SECONDS = 1700000000.25;

Deno.test("maskedCrc() is CRC-32C, rotated by 15 bits, plus a constant", () => {
  const unmask = (masked: number) => {
    const rotated = (masked - 0xa282ead8) >>> 0;
    return (rotated >>> 17 | rotated << 15) >>> 0;
  };
  const text = (value: string) => new TextEncoder().encode(value);
  assert.equal(unmask(maskedCrc(text("123456789"))), 0xe3069283);
  assert.equal(unmask(maskedCrc(new Uint8Array())), 0);
  // RFC 3720, B.4
  assert.equal(unmask(maskedCrc(new Uint8Array(32))), 0x8a9136aa);
  assert.equal(unmask(maskedCrc(new Uint8Array(32).fill(255))), 0x62a8ab43);
  assert.equal(unmask(maskedCrc(Uint8Array.from({ length: 32 }, (_, i) => i))), 0x46dd794e);
});

Deno.test("records are those that TensorBoard writes, byte by byte", () => {
  assert.equal(
    hex(versionRecord(SECONDS)),
    "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9",
  );
  assert.equal(
    hex(startRecord({ seconds: SECONDS, step: 121 })),
    "0f000000000000006d532b090900001040fc54d94110793a02080158a6cc1e",
  );
  const scalars = [
    ["train/loss", 6.9],
    ["eval/google → twitter R@1", NaN],
    ["train/huge", 1e300], // more than float32 holds: infinite
  ] as const;
  assert.equal(
    hex(scalarsRecord({ seconds: SECONDS, step: 5e9 }, scalars)),
    "5b000000000000001b01028a0900001040fc54d9411080e497d0122a4a0a110a0a747261696e2f6c6f737315cdccdc40" +
      "0a220a1b6576616c2f676f6f676c6520e28692207477697474657220524031150000c07f0a110a0a747261696e2f" +
      "68756765150000807fe2715716",
  );
});

/** The records of a file; a torn last one is left out, and a wrong checksum is an error. */
function recordsOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Uint8Array[] = [];
  for (let at = 0; at + 12 <= bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    if (at + 16 + length > bytes.length) break;
    const data = bytes.subarray(at + 12, at + 12 + length);
    assert.equal(view.getUint32(at + 8, true), maskedCrc(bytes.subarray(at, at + 8)));
    assert.equal(view.getUint32(at + 12 + length, true), maskedCrc(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

const files = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.includes("tfevents"))
    .sort();

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const sideFiles = (folder: string) =>
  new SideFiles(folder, { say: (message) => assert.fail(message) });

folderTest(
  "EventFile.open() makes a file of its own, later by name, at each start",
  async (folder) => {
    const now = () => SECONDS;
    for (const step of [0, 120, 3]) await EventFile.open(sideFiles(folder), step, { now });
    await EventFile.open(sideFiles(folder), 7, { now: () => 1 }); // a clock that was put back
    assert.deepEqual(
      files(folder).map((name) => Number(name.split(".")[3])),
      [1700000000, 1700000001, 1700000002, 1700000003],
    );
    const starts = files(folder).map((name) =>
      recordsOf(Deno.readFileSync(`${folder}/${name}`))[1]
    );
    assert.deepEqual(starts.map((start) => start[10]), [1, 121, 4, 8]); // the step after
  },
);

folderTest(
  "EventFile.open() makes two files also where neither can be written yet",
  async (root) => {
    const said: string[] = [], folder = `${root}/later`;
    const side = new SideFiles(folder, { say: (message) => said.push(message) });
    for (const step of [0, 3]) {
      const events = await EventFile.open(side, step, { now: () => SECONDS });
      await events.write(step + 1, "train", [["loss", 1], ["what", "no number"], ["none", null]]);
    }
    await Deno.mkdir(folder);
    await side.close();
    const records = files(folder).map((name) => recordsOf(Deno.readFileSync(`${folder}/${name}`)));
    assert.deepEqual(records.map((of) => of.slice(1).map((record) => record[10])), [[1, 1], [
      4,
      4,
    ]]);
    assert.ok(!/what|none/.test(text(records[0][2])));
    assert.equal(said.length, 4, said.join("\n")); // each fails, and is written again
  },
);

folderTest("RunLog takes lines that somebody spoiled", async (folder) => {
  const rows = ['{"step":1,"loss":"many"}', "null", "[]", '{"step":{}}', '{"step":9}', "{"];
  await Deno.writeTextFile(`${folder}/metrics.jsonl`, rows.join("\n"));
  const progress = new Progress({ isTerminal: () => false, writeSync: (bytes) => bytes.length });
  const log = await RunLog.open(sideFiles(folder), 1, {}, progress);
  for (const step of [2, 3]) await log.write({ step, loss: 3, loss_over_ln_k: 1 });
  log.conclude();
  const kept = (await Deno.readTextFile(`${folder}/metrics.jsonl`)).trim().split("\n");
  assert.deepEqual(kept.map((row) => JSON.parse(row).step), [1, 2, 3]);
});

folderTest(
  "RunLog writes metrics and evaluations for TensorBoard, and what was logged before",
  async (folder) => {
    const progress = new Progress({ isTerminal: () => false, writeSync: (bytes) => bytes.length });
    const plain = await RunLog.open(sideFiles(folder), 0, {}, progress);
    await plain.write({ step: 10, loss: 3 });
    assert.deepEqual(files(folder), []);
    const log = await RunLog.open(sideFiles(folder), 10, {}, progress, { tensorboard: true });
    await log.write({ step: 20, loss: NaN, lr: 1e-3, non_finite: "the loss" });
    await log.evaluatedMidway(20, [{ metric: "category k-NN (k 10)", percent: 50 }]);
    await log.evaluated(30, [
      { encoder: "teacher (grid)", metric: "rank", value: 3 },
      { encoder: "raw pixels", metric: "rank", value: 2 },
    ]);
    const [name] = files(folder);
    const records = recordsOf(Deno.readFileSync(`${folder}/${name}`)).slice(2);
    assert.deepEqual(records.map((record) => record[10]), [10, 20, 20, 30]);
    assert.match(text(records[0]), /train\/loss/);
    assert.match(text(records[1]), /train\/loss[^]*train\/lr/);
    assert.ok(!text(records[1]).includes("non_finite"));
    assert.match(text(records[2]), /eval\/category k-NN \(k 10\)/);
    assert.match(text(records[3]), /eval\/rank[^ ][^]*eval\/rank \(raw pixels\)/);
    assert.equal(
      await Deno.readTextFile(`${folder}/evaluations.jsonl`),
      '{"step":20,"figures":[{"metric":"category k-NN (k 10)","percent":50}]}\n',
    );
  },
);
