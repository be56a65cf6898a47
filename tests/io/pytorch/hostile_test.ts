/** Files that are damaged, or were made to do harm, are refused at once, with the reason, and run nothing. */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { DamagedFileError } from "../../../lib/errors.ts";
import { openWeightsBytes } from "../../../lib/io/weights_source.ts";
import {
  archive,
  bytesOf,
  call,
  dict,
  FOUR,
  global,
  int,
  le,
  legacy,
  MAGIC,
  type Member,
  pickle,
  storage,
  str,
  tensor,
  tuple,
  zip,
} from "../../support/pytorch_files.ts";

const one = dict(["w", tensor()]);

/** A pickle's contents beside a tensor that is sound. */
const beside = (value: string) => archive(dict(["w", tensor()], ["x", value]));

const calls: [module: string, name: string, RegExp][] = [
  ["os", "system", /names "os\.system", which weights have no use for/],
  ["posix", "system", /"posix\.system"/],
  ["nt", "system", /"nt\.system"/],
  ["builtins", "eval", /"builtins\.eval"/],
  ["builtins", "exec", /"builtins\.exec"/],
  ["builtins", "getattr", /"builtins\.getattr"/],
  ["__builtin__", "apply", /"__builtin__\.apply"/],
  ["builtins", "__import__", /"builtins\.__import__"/],
  ["subprocess", "Popen", /"subprocess\.Popen"/],
  ["runpy", "_run_code", /"runpy\._run_code"/],
  ["importlib", "import_module", /"importlib\.import_module"/],
  ["socket", "create_connection", /"socket\.create_connection"/],
  ["pickle", "loads", /"pickle\.loads"/],
  ["webbrowser", "open", /"webbrowser\.open"/],
  [
    "torch.storage",
    "_load_from_bytes",
    /calls "torch\.storage\._load_from_bytes", .*nothing is called/,
  ],
  ["torch.hub", "load", /calls "torch\.hub\.load"/],
  ["torch", "load", /calls "torch\.load"/],
  ["numpy", "load", /calls "numpy\.load"/],
  ["operator", "attrgetter", /calls "operator\.attrgetter"/],
  ["torch._utils", "_rebuild_sparse_tensor", /calls "torch\._utils\._rebuild_sparse_tensor"/],
  ["torch._utils", "__class__.__base__", /calls "torch\._utils\.__class__\.__base__"/],
  ["my.module", "make", /calls "my\.module\.make".*save the weights alone/],
];

/** Lists that hold the one before twice, 2^40 in all. */
function laughs(): string {
  let text = "]q\x00";
  for (let i = 0; i < 40; i++) {
    const [before, own] = [i, i + 1].map((index) => String.fromCharCode(index));
    text += `](h${before}h${before}eq${own}`;
  }
  return text;
}

const nested = (depth: number) => "]".repeat(depth) + "a".repeat(depth - 1);

const sized = (shape: (number | bigint)[], strides: (number | bigint)[], offset = 0) =>
  archive(dict(["w", tensor({ shape, strides, offset })]));

const stored = (options: Parameters<typeof storage>[0]) =>
  archive(dict(["w", tensor({ of: storage(options) })]));

const member = (options: Member[2], data: string | Uint8Array = FOUR) =>
  zip([["a/data.pkl", pickle(one)], ["a/data/0", data, options]]);

const twoOnes: Member[] = [["a/data.pkl", pickle(one)], ["a/data/0", FOUR]];

type Row = [name: string, file: () => Uint8Array<ArrayBuffer>, RegExp];

const FILES: Row[] = [
  ...calls.map(([module, name, message]): Row => [
    `REDUCE of ${module}.${name}`,
    () => beside(call(module, name, str("true"))),
    message,
  ]),
  ["STACK_GLOBAL of os.system", () => beside(`${str("os")}${str("system")}\x93`), /"os\.system"/],
  ["an object of subprocess.Popen", () => beside(global("subprocess", "Popen") + ")\x81"), /Popen/],
  ["INST", () => beside(`(${str("true")}ios\nsystem\n`), /the instruction INST/],
  ["OBJ", () => beside(`(${global("a", "B")}o`), /the instruction OBJ/],
  ["EXT1", () => beside("\x82\x01"), /the instruction EXT1/],
  ["a text of protocol 0", () => beside("S'a'\n"), /the instruction STRING/],
  ["an unknown instruction", () => beside("\xff"), /the instruction 0xff/],
  [
    "an older file that calls",
    () => legacy(dict(["w", call("os", "system", str("x"))])),
    /os\.system/,
  ],
  [
    "a call in the machine's part",
    () => legacy(one, { machine: call("os", "system") }),
    /os\.system/,
  ],
  [
    "a call of a call",
    () => beside(`${call("functools", "partial")})R`),
    /calls what is no function/,
  ],
  ["a call without arguments", () => beside(`${global("torch", "Size")}NR`), /without arguments/],
  ["attributes of a list", () => beside("]}b"), /gives attributes to what has none/],
  ["an object of a number", () => beside("K\x01)\x81"), /an object of what is no class/],
  ["a tensor as an object", () => beside(global("torch", "FloatTensor") + ")\x81"), /too old/],
  [
    "a rebuild that rebuilds itself",
    () => {
      const name = global("torch._tensor", "_rebuild_from_type_v2");
      return beside(`${name}${tuple(name, "N", ")", "N")}R`);
    },
    /calls "torch\._tensor\._rebuild_from_type_v2" by itself/,
  ],
  ["a protocol 7", () => zip([["a/data.pkl", pickle(one, 7)], ["a/data/0", FOUR]]), /protocol 7/],
  ["an empty stack", () => archive("00"), /takes more values than it made/],
  ["a mark that is not there", () => archive("t"), /takes more values than it made/],
  ["a memory that is not there", () => archive("h\x05"), /remembers nothing as 5/],
  ["items of what is no dict", () => beside("](NNu"), /sets keys of what is no dict/],
  ["a key without a value", () => beside("}(Nu"), /sets a key without a value/],
  ["items of what is no list", () => beside("}Na"), /appends to what is no list/],
  ["text that is no UTF-8", () => beside("X\x01\0\0\0\xff"), /text that is no UTF-8/],
  ["text of 4 GiB", () => beside("X\xff\xff\xff\xff"), /data\.pkl is cut off/],
  ["text of 2^63 bytes", () => beside(`\x8d${le(2n ** 63n, 8)}`), /data\.pkl is cut off/],
  ["bytes of 2^63", () => beside(`\x8e${le(2n ** 63n, 8)}`), /data\.pkl is cut off/],
  ["a number of 2 GiB", () => beside("\x8b\xff\xff\xff\x7f"), /data\.pkl is cut off/],
  ["a name without an end", () => beside("c" + "x".repeat(2000)), /a name without an end/],
  ["a billion laughs", () => archive(laughs()), /nests more than 2000000 values/],
  ["a list that holds itself", () => archive("]q\x00h\x00a"), /nested too deeply/],
  ["a dict that holds itself", () => archive(`}q\x00${str("a")}h\x00s`), /nested too deeply/],
  ["deep lists", () => archive(nested(500)), /nested too deeply/],
  ["deep tuples", () => archive("N" + "\x85".repeat(100_000)), /nested too deeply/],
  ["many marks", () => archive("(".repeat(5000)), /nested too deeply/],
  ["many objects", () => archive("}".repeat(600_000)), /more than 500000 objects/],
  ["many steps", () => archive("N0".repeat(2_100_000)), /more than 4000000 steps/],
  [
    "many tensors",
    () => archive(`${tensor()}q\x00](${"h\x00".repeat(250_000)}e`),
    /more than 200000 tensors/,
  ],
  ["a key twice", () => archive(dict(["w", tensor()], ["w", tensor()])), /a dict holds "w" twice/],
  [
    "a name twice",
    () => archive(dict(["a.b", tensor()], ["a", dict(["b", tensor()])])),
    /names "a\.b" twice/,
  ],
  ["no tensors", () => archive(dict(["epoch", int(3)])), /holds no tensors/],
  [
    "tensors in a foreign object",
    () => archive(`${global("my", "Model")})\x81${dict(["w", tensor()])}b`),
    /holds no tensors but in objects/,
  ],
  ["a shape that overflows", () => sized([2n ** 62n, 4], [4, 1]), /not counts/],
  [
    "a shape that overflows in all",
    () => sized([2n ** 50n, 2n ** 50n], [0, 0]),
    /repeats 4 stored/,
  ],
  ["a negative size", () => sized([-1, 4], [4, 1]), /not counts/],
  ["a negative stride", () => sized([2, 2], [-2, 1], 2), /not counts/],
  ["a negative offset", () => sized([2, 2], [2, 1], -1), /not counts/],
  ["an offset that leads out", () => sized([2, 2], [2, 1], 1), /does not fit its storage of 4/],
  ["a stride that leads out", () => sized([2, 2], [2 ** 40, 1]), /does not fit its storage of 4/],
  ["more sizes than strides", () => sized([2, 2], [1]), /not counts/],
  ["a hundred dimensions", () => sized(Array(100).fill(1), Array(100).fill(1)), /not counts/],
  ["a tensor of what is no storage", () => archive(dict(["w", tensor({ of: "N" })])), /no storage/],
  ["a storage of 2^50", () => stored({ length: 2 ** 50 }), /expected 1125899906842624 float32/],
  ["a storage of 2^60", () => stored({ length: 2 ** 60 }), /refers to what is no storage/],
  ["a storage of NaN elements", () => {
    const nan = tuple(str("storage"), global("torch", "FloatStorage"), str("0"), str("cpu"));
    return archive(dict(["w", tensor({ of: `${nan.slice(0, -1)}G\x7f\xf8\0\0\0\0\0\0tQ` })]));
  }, /refers to what is no storage/],
  ["a storage described in two ways", () => {
    const large = tensor({ of: storage({ length: 400 }), shape: [400], strides: [1] });
    return archive(dict(["large", large], ["w", tensor()]));
  }, /expected 400 float32 but found 16 bytes/],
  ["an older storage described in two ways", () => {
    const large = tensor({ of: storage({ length: 400 }), shape: [400], strides: [1] });
    return legacy(dict(["large", large], ["w", tensor()]));
  }, /storage "0" is described in two ways/],
  ["a shorter storage", () => stored({ length: 5 }), /expected 5 float32 but found 16 bytes/],
  ["a storage of another type", () => stored({ type: "DoubleStorage" }), /expected 4 float64/],
  ["a storage of no known type", () => stored({ type: "EvilStorage" }), /its type is not known/],
  ["a storage elsewhere", () => stored({ key: "../../etc/passwd" }), /lacks "a\/data\/\.\.\//],
  ["a storage that is missing", () => stored({ key: "1" }), /lacks "a\/data\/1"/],
  ["a part outside of its storage", () => {
    const part = tuple(str("v"), int(3), int(2));
    return legacy(dict(["w", tensor({ of: storage().replace("tQ", `${part}t`) + "Q" })]));
  }, /a part of it lies outside/],
  ["big-endian values", () => archive(one, [["a/byteorder", "big"]]), /its byte order is "big"/],
  [
    "an older big-endian file",
    () => legacy(one, { machine: dict(["little_endian", "\x89"]) }),
    /big-endian/,
  ],
  ["a TorchScript program", () => archive(one, [["a/constants.pkl", "x"]]), /TorchScript/],
  ["two objects", () => zip([...twoOnes, ["b/data.pkl", "x"]]), /expected one NAME\/data\.pkl/],
  [
    "an archive of something else",
    () => zip([["readme.txt", "x"]]),
    /expected one NAME\/data\.pkl/,
  ],
  ["a wrong checksum", () => member({ crc: 1 }), /its checksum is wrong/],
  ["a changed value", () => member({ crc: crc32(FOUR) }, FOUR.with(3, 9)), /its checksum is wrong/],
  [
    "a compressed storage",
    () => member({ method: 8 }),
    /is compressed, which torch\.save never does/,
  ],
  ["a zip bomb", () => member({ method: 8, size: 0xfffffff0, packed: 16 }), /is compressed/],
  ["an encrypted storage", () => member({ flags: 1 }), /is encrypted/],
  ["sizes that disagree", () => member({ size: 16, packed: 17 }), /its sizes disagree/],
  [
    "a storage that ends beyond",
    () => member({ size: 5000, packed: 5000 }),
    /overlaps what follows/,
  ],
  ["storages in one place", () => zip([...twoOnes, ["a/x", FOUR, { begin: 0 }]]), /overlaps/],
  ["a name of its own", () => member({ ownName: "a/data/1" }), /is called "a\/data\/1"/],
  ["a name twice in the table", () => zip([...twoOnes, ["a/data/0", FOUR]]), /"a\/data\/0" twice/],
  ["more rows than the table holds", () => zip(twoOnes, { rows: 60_000 }), /cannot hold 60000/],
  ["fewer rows than the table holds", () => zip(twoOnes, { rows: 1 }), /bytes more than it says/],
  ["a table elsewhere", () => zip(twoOnes, { begin: 0 }), /expected its table to end at/],
  ["a table of 4 GiB", () => zip(twoOnes, { bytes: 0xfffffff0 }), /expected its table to end/],
  ["an archive in parts", () => zip(twoOnes, { disk: 1 }), /one part of an archive in several/],
  [
    "something before the end",
    () => zip(twoOnes, { before: "xxxx" }),
    /expected its table to end at/,
  ],
  [
    "wide sizes that are missing",
    () => member({ size: 0xffffffff, packed: 0xffffffff }),
    /zip64 sizes are missing/,
  ],
  [
    "wide sizes of 2^63",
    () =>
      member({
        size: 0xffffffff,
        packed: 0xffffffff,
        extra: `\x01\0\x10\0${le(2n ** 63n, 8)}${le(2n ** 63n, 8)}`,
      }),
    /overlaps what follows/,
  ],
  ["a wide table of 2^50 rows", () => zip(twoOnes, { wide: true, rows: 2 ** 50 }), /cannot hold/],
  ["an older file without its end", () => legacy(one).subarray(0, -1), /is cut off/],
  [
    "an older file with a longer end",
    () => bytesOf(legacy(one), "x"),
    /1 bytes more than its storages/,
  ],
  [
    "a storage of another length",
    () => legacy(one, { storages: le(5, 8) }),
    /expected 4 elements but found 5/,
  ],
  ["a negative length", () => legacy(one, { storages: le(2n ** 64n - 1n, 8) }), /found -1/],
  ["no keys", () => legacy(one, { keys: "]" }), /lacks the storage "0"/],
  [
    "a key twice in the list",
    () => legacy(one, { keys: `](${str("0")}${str("0")}e` }),
    /lists the storage "0" twice/,
  ],
  ["a key that nobody uses", () => legacy(one, { keys: `](${str("9")}e` }), /that no tensor uses/],
  [
    "another protocol",
    () => legacy(one, { protocol: "K\x01" }),
    /expected the protocol 1001 but found 1/,
  ],
  ["a protocol without an end", () => legacy(one, { protocol: laughs() }), /what is no number/],
  ["keys that are no list", () => legacy(one, { keys: "N" }), /are no list/],
  ["storages too late", () => legacy(one, { keys: storage().replace("tQ", "NtQ") }), /too late/],
  ["a magic number alone", () => bytesOf(MAGIC), /cut off/],
];

async function readAll(file: Uint8Array<ArrayBuffer>): Promise<void> {
  using weights = await openWeightsBytes(file, "x");
  for (const name of weights.entries.keys()) await weights.read(name);
}

Deno.test("what these tests break is sound before", async () => {
  for (const file of [archive(one), legacy(one), zip(twoOnes, { wide: true, comment: "c" })]) {
    using weights = await openWeightsBytes(file, "x");
    assert.deepEqual([...(await weights.read("w")).data], [1, 2, 3, 4]);
  }
});

/** Milliseconds that one file may take, on slow and busy machines. */
const PATIENCE = 60_000;

Deno.test(`${FILES.length} files that are damaged or do harm are refused in words, at once`, async () => {
  for (const [name, make, message] of FILES) {
    const file = make();
    const began = performance.now();
    await assert.rejects(readAll(file), (error: Error) => {
      assert.ok(error instanceof DamagedFileError, `${name}: ${error.stack}`);
      assert.match(error.message, message, name);
      assert.ok(error.message.length < 700, name);
      return true;
    }, name);
    assert.ok(performance.now() - began < PATIENCE, `${name} took ${performance.now() - began} ms`);
  }
});

Deno.test("files that are cut off at any of their bytes are refused", async () => {
  for (const file of [archive(one), legacy(one)]) {
    for (let end = 0; end < file.length; end++) {
      await assert.rejects(readAll(file.slice(0, end)), DamagedFileError, `${end} bytes`);
    }
  }
});
