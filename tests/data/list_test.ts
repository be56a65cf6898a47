import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { openList } from "../../lib/data/list.ts";
import { readRows } from "../../lib/data/list_rows.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { filesTest, plain, put, rgbAt } from "./support.ts";

const latin1 = (content: string) => Uint8Array.from(content, (c) => c.charCodeAt(0));
const utf8 = (content: string) => new TextEncoder().encode(content);
const rowsOf = async (name: string, content: string | Uint8Array) => {
  const bytes = typeof content === "string" ? utf8(content) : content;
  const { kinds, rows } = await readRows(name, bytes);
  return { kinds, rows: rows.map(({ line, path, labels }) => [line, path, ...labels]) };
};

function fails(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof HatchlingError, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

// The tests of a parser that is imported when first used need to read the cache.
filesTest("readRows() reads columns, quotes, every line ending, byte order marks", async () => {
  const rows = [[2, "a b.png", "cat"], [4, 'x"y, z.png', "dog"], [5, "#1.png", "cat"]];
  const text = 'path,label\n"a b.png",cat\n\n"x""y, z.png", dog \n#1.png,cat';
  for (const end of ["\n", "\r\n", "\r"]) {
    for (const last of ["", end]) {
      const content = text.replaceAll("\n", end) + last;
      assert.deepEqual(await rowsOf("l.csv", content), { kinds: ["label"], rows });
      assert.deepEqual(await rowsOf("l.CSV", "\ufeff" + content), { kinds: ["label"], rows });
      const semicolons = content.replace(/(path|png"?|png),/g, "$1;");
      assert.deepEqual(await rowsOf("l.csv", semicolons), { kinds: ["label"], rows });
      const tabs = semicolons.replaceAll(";", "\t");
      assert.deepEqual(await rowsOf("l.tsv", tabs), { kinds: ["label"], rows });
    }
  }
  const wide = new Uint8Array(Uint16Array.from("\ufeffa/ü.png\tx", (c) => c.charCodeAt(0)).buffer);
  for (const bytes of [wide, wide.map((_, i) => wide[i ^ 1])]) {
    assert.deepEqual((await rowsOf("l.txt", bytes)).rows, [[1, "a/ü.png", "x"]]);
  }
});

filesTest("readRows() takes kinds of labels from a header, wherever the path stands", async () => {
  const text = "species,File_Name,place\nfox,a.png,fen\nwolf,b.png,\n";
  assert.deepEqual(await rowsOf("l.csv", text), {
    kinds: ["species", "place"],
    rows: [[2, "a.png", "fox", "fen"], [3, "b.png", "wolf", ""]],
  });
  for (const name of ["path", "FILE", "filename", "image", "img_path", "image path", "filepath"]) {
    assert.deepEqual(await rowsOf("l.csv", `${name}\na.png\n`), {
      kinds: [],
      rows: [[2, "a.png"]],
    });
  }
  assert.deepEqual(await rowsOf("l.csv", "a.png,1\nb.png,2"), {
    kinds: ["label"],
    rows: [[1, "a.png", "1"], [2, "b.png", "2"]],
  });
});

filesTest(
  "readRows() reads a .txt as paths with what follows their extension as label",
  async () => {
    const text = [
      "# made by hand",
      "my cat.JPG  3",
      "",
      "  b, c.png tabby cat ",
      "c.gif.webp,9",
      "photo.jpg copy.png 0",
    ].join("\r\n");
    assert.deepEqual(await rowsOf("l.txt", text), {
      kinds: ["label"],
      rows: [
        [2, "my cat.JPG", "3"],
        [4, "b, c.png", "tabby cat"],
        [5, "c.gif.webp", "9"],
        [6, "photo.jpg copy.png", "0"],
      ],
    });
    assert.deepEqual(await rowsOf("l.txt", "photo.jpg copy.png\nmy cat.jpg\nno extension\n"), {
      kinds: [],
      rows: [[1, "photo.jpg copy.png"], [2, "my cat.jpg"], [3, "no extension"]],
    });
    const header = '# list\npath,label\n# more\n"a,1.png",x\nb#.png,y\n';
    assert.deepEqual((await rowsOf("l.txt", header)).rows, [[4, "a,1.png", "x"], [
      5,
      "b#.png",
      "y",
    ]]);
    const tabs = "# list\na 1.png\tx y\nb.png\tz\n";
    assert.deepEqual((await rowsOf("l.txt", tabs)).rows, [[2, "a 1.png", "x y"], [
      3,
      "b.png",
      "z",
    ]]);
  },
);

filesTest("readRows() names file and line of every malformed row", async () => {
  const cases: [string, string | Uint8Array, RegExp][] = [
    ["l.csv", "path,label\na.png,x\n\nb.png\n", /l\.csv:4: .*expect 2, got 1/],
    ["l.csv", "a.png,x\nb.png,y,z\n", /l\.csv:2: .*expect 2, got 3/],
    ["l.csv", 'path,label\n"a.png,x\n', /l\.csv:\d: Quote Not Closed/],
    ["l.csv", 'path,label\nb.png,x"y\n', /l\.csv:2: /],
    ["l.csv", "a.png,x,y\n", /one label in l\.csv:1 but found 3 columns: add a first row/],
    ["l.csv", "path,label\n ,x\n", /a path in l\.csv:2 but found none/],
    ["l.csv", "path,,x\na,b,c\n", /each column in l\.csv:1 but column 2 is ""/],
    ["l.csv", "path,x,x\na,b,c\n", /each column in l\.csv:1 but column 3 is "x"/],
    ["l.csv", "path,label\n\n", /pictures in l\.csv but found only the header/],
    [
      "l.txt",
      "a.png\nb.png 3\n",
      /no label in l\.txt:2, as in its first row, but found "b\.png 3"/,
    ],
    ["l.txt", "a.png 1\nb.png\n", /a label in l\.txt:2/],
    ["l.txt", "\n# only this\n\n", /a path per line in l\.txt but it is empty/],
    ["l.csv", "", /l\.csv but it is empty/],
    ["l.csv", Uint8Array.of(0x61, 0xff, 0x62), /UTF-8 in l\.csv/],
    ["l.csv", latin1("path\nb\xe4r.png\n"), /0xe4 at byte 6, line 2: likely Latin-1/],
    ["a\u202eb.csv", "path,label\n\n", /pictures in a\\u202eb\.csv but found only the header/],
  ];
  for (const [name, content, pattern] of cases) await fails(rowsOf(name, content), pattern);
});

filesTest("readRows() reads what spreadsheets save as Unicode", async () => {
  const little = latin1("\xff\xfe" + [..."path,label\r\nb\xe4r.png,wolf\r\n"].join("\0") + "\0");
  const found = await rowsOf("l.csv", little);
  assert.deepEqual(found.rows, [[2, "bär.png", "wolf"]]);
  assert.deepEqual((await rowsOf("l.csv", "\ufeffpath,x\na,b\n")).kinds, ["x"]);
});

const ids = (data: Dataset) => Array.from({ length: data.length }, (_, i) => data.id(i));

filesTest(
  "openList() opens pictures in the order of the rows, with labels of each kind",
  async (folder) => {
    const absolute = await put(folder, "elsewhere/c.png", plain(2, 2, [3, 3, 3]));
    await put(folder, "lists/b/b.png", plain(3, 4, [2, 2, 2]));
    await put(folder, "lists/a.png", plain(5, 1, [1, 1, 1]));
    const rows = [
      "path,species,place,note",
      "b/b.png,fox,fen,",
      "./a.png,wolf,fen,",
      `"${absolute}",fox,moor,`,
      "b/b.png,wolf,moor,",
      "../elsewhere/c.png,ant,fen,",
    ];
    const list = await put(folder, "lists/l.csv", utf8(rows.join("\r\n")));
    const data = await openList(list, { numWorkers: 1 });
    try {
      const names = ["b/b.png", "./a.png", absolute, "b/b.png (line 5)", "../elsewhere/c.png"];
      assert.deepEqual(ids(data), names);
      assert.deepEqual(Object.keys(data.labels!), ["species", "place"]); // no row has a note
      assert.deepEqual(data.labels!.species.names, ["ant", "fox", "wolf"]);
      assert.deepEqual([...data.labels!.species.values], [1, 2, 1, 2, 0]);
      assert.deepEqual([...data.labels!.place.values], [0, 0, 1, 1, 0]);
      assert.deepEqual([data.largestPixels, data.skipped], [12, []]);
      for (const [i, level] of [2, 1, 3, 2, 3].entries()) {
        assert.equal(rgbAt(await data.picture(i), 1, 0)[0], level);
      }
    } finally {
      data.close?.();
    }
  },
);

filesTest(
  "openList() leaves out what is missing or damaged, with the line that lists it",
  async (folder) => {
    await put(folder, "a.png", plain(2, 2, [1, 1, 1]));
    await put(folder, "b.png", utf8("no picture"));
    const text = "gone.png x\nb.png y\na.png z\ngone.png x\n";
    const list = await put(folder, "l.txt", utf8(text));
    const data = await openList(list);
    assert.deepEqual(ids(data), ["a.png"]);
    assert.deepEqual([data.labels!.label.names, [...data.labels!.label.values]], [["x", "y", "z"], [
      2,
    ]]);
    const reasons = data.skipped.map(({ file, reason }) => `${file}: ${reason}`).sort();
    assert.equal(reasons.length, 3);
    assert.match(reasons[0], /b\.png: not a PNG.*l\.txt:2\)$/);
    assert.match(reasons[1], /gone\.png: .*\(.*l\.txt:1\)$/);
    assert.match(reasons[2], /gone\.png: .*\(.*l\.txt:4\)$/);
    data.close?.();
    await put(folder, "l.txt", utf8("gone.png\n"));
    await fails(openList(list), /none of its 1 files can be used.*\n.*gone\.png/);
    await put(folder, "l.csv", utf8("path,kind\na.png,x\na.png,\n"));
    await fails(openList(`${folder}/l.csv`), /a label "kind" in .*l\.csv:3, as in other rows/);
    await fails(openList(`${folder}/none.csv`), /Cannot read .*none\.csv: it does not exist/);
    await fails(openList(folder), /Cannot read .*: expected a file but found a folder/);
  },
);
