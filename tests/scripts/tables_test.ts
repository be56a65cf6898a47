/** Tables of features: which ones a command takes for its own, and what is in their cells. */
import assert from "node:assert/strict";
import { outputsOf, reserve, sinkOf } from "../../scripts/embed/open_sink.ts";
import type { Format, Row } from "../../lib/embed/sink.ts";
import { featuresOutputs } from "../../scripts/evaluate/features_file.ts";
import { csvLine } from "../../lib/io/csv.ts";
import { claimOutputs } from "../../scripts/common/outputs.ts";
import { folderTest } from "../support/permissions.ts";

const NAMES = { parquet: "f.parquet", npy: "f.npy", csv: "f.csv", jsonl: "f.jsonl" };
/** What spreadsheets take for formulas, what ends lines and cells, what readers may strip. */
const HOSTILE = [
  "=1+1",
  "+1",
  "-1",
  "@sum(a1)",
  "\t=1",
  "\r=1",
  " a ",
  'a "b", c\nd',
  "",
  "ä",
];

function write(path: string, format: Format, dim = 3): void {
  const table = {
    labels: ["a, b"],
    dim,
    readout: "class",
    about: { "hatchling.features": "class" },
  };
  const sink = sinkOf(reserve(outputsOf(path, format)), format, table);
  sink.write(HOSTILE.map((id): Row => ({
    id,
    width: 1,
    height: 2,
    labels: [id],
    feature: Float32Array.from({ length: dim }, (_, i) => i - 0.5),
  })));
  sink.finish();
}

const claim = (path: string, format: Format) =>
  claimOutputs(outputsOf(path, format), { inputs: [], remedy: "choose another" });

/** Rows of a CSV, read as RFC 4180 says. */
function parse(csv: string): string[][] {
  const rows: string[][] = [[]];
  for (let at = 0; at < csv.length;) {
    const [all, quoted, plain, end] = csv.slice(at)
      .match(/^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)/)!;
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ",") rows.push([]);
    at += all.length;
  }
  return rows.slice(0, -1);
}

for (const format of Object.keys(NAMES) as Format[]) {
  folderTest(`a table of ${format} may be written again, over nothing else`, async (folder) => {
    const path = `${folder}/${NAMES[format]}`;
    claim(path, format);
    for (const dim of [1, 3]) {
      write(path, format, dim);
      claim(path, format);
    }
    for (const text of ["", "id,width,height\nmine,1,2\n", "PAR1 not ours PAR1", "{}\n"]) {
      await Deno.writeTextFile(path, text);
      assert.throws(
        () => claim(path, format),
        /f\.\w+: a file that this command did not make/,
        text,
      );
    }
  });
}

folderTest("no table of one command is taken for another's", (folder) => {
  const path = `${folder}/f`;
  write(`${path}.csv`, "csv");
  assert.throws(() => claim(`${path}.npy`, "npy"), /f\.csv: a file that this command did not make/);
  Deno.removeSync(`${path}.csv`);
  write(`${path}.npy`, "npy");
  assert.throws(() => claim(`${path}.csv`, "csv"), /f\.csv: a file that this command did not make/);
  const evaluate = () =>
    claimOutputs(featuresOutputs(`${path}.npy`, false), { inputs: [], remedy: "choose another" });
  assert.throws(evaluate, /f\.npy: a file that this command did not make/);
  return Promise.resolve();
});

folderTest("numbers and names are replaced together, and as they were written", async (folder) => {
  const path = `${folder}/f.npy`, names = `${folder}/f.csv`;
  const refused = (why: string) =>
    assert.throws(() => claim(path, "npy"), /that this command did not make is there/, why);
  write(path, "npy");
  const table = await Deno.readTextFile(names);
  await Deno.writeTextFile(names, table); // the same, but changed since
  await Deno.utime(names, new Date(), new Date(Date.now() + 5000));
  refused("changed after the numbers");
  await Deno.writeTextFile(names, `${table}one more,1,2,x\n`);
  await Deno.utime(names, new Date(0), new Date(0));
  refused("more names than rows");
  await Deno.remove(names);
  refused("numbers without names may be anyone's");
});

folderTest(
  "names are in a CSV as they are, whatever a spreadsheet makes of them",
  async (folder) => {
    write(`${folder}/f.npy`, "npy");
    const rows = parse(await Deno.readTextFile(`${folder}/f.csv`));
    assert.deepEqual(rows, [
      ["id", "width", "height", "a, b", "readout"],
      ...HOSTILE.map((id) => [id, "1", "2", id, "class"]),
    ]);
    assert.equal(csvLine(["-1", " a", "\rb"]), '-1," a","\rb"\n');
  },
);
