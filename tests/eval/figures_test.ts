import assert from "node:assert/strict";
import { figureTable } from "../../lib/eval/figures.ts";

Deno.test("figureTable() shows whitened features beside each other alone", () => {
  const figure = (encoder: string, percent: number) => {
    return { group: "", metric: "R@1", encoder, percent };
  };
  const [plain, whitened] = figureTable([
    figure("teacher (grid)", 1),
    figure("teacher (grid, whitened)", 2),
    figure("raw pixels", 3),
    figure("raw pixels (whitened)", 4),
  ]).split("\n\n\n").map((table) => table.split("\n").map((line) => line.trim().split(/\s{2,}/)));
  assert.deepEqual(plain, [["teacher (grid)", "raw pixels"], ["R@1", "1.0 %", "3.0 %"]]);
  assert.deepEqual(whitened, [
    ["teacher (grid, whitened)", "raw pixels (whitened)"],
    ["R@1", "2.0 %", "4.0 %"],
  ]);
  assert.equal(figureTable([figure("a (whitened)", 1)]).split("\n").length, 2);
});

Deno.test("figureTable() has metrics down, encoders across, and groups apart", () => {
  const table = figureTable([
    { group: "", metric: "view retrieval R@1", encoder: "teacher", percent: 12.345 },
    { group: "", metric: "alignment", encoder: "teacher", value: 0.12345 },
    { group: "kind", metric: "k-NN", encoder: "raw pixels", percent: 100 },
  ]);
  assert.deepEqual(table.split("\n").map((line) => line.trim().split(/ {2,}/)), [
    ["teacher", "raw pixels"],
    ["view retrieval R@1", "12.3 %"],
    ["alignment", "0.123"],
    [""],
    ["k-NN", "100.0 %"],
  ]);
  const [head, ...rows] = table.split("\n");
  assert.equal(rows[3].length, head.length, "columns are aligned");

  const long = figureTable(
    ["teacher at step 7080", "teacher at step 7080 (patches)"].map((encoder) => (
      { group: "", metric: "k-NN", encoder, percent: 50 }
    )),
  );
  assert.match(long, /7080 {2}teacher/, "long names stay apart");
  assert.match(long, /^k-NN +50.0 % +50.0 %$/m);
  assert.equal(new Set(long.split("\n").map((line) => line.length)).size, 1);
});
