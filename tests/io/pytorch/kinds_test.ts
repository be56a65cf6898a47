/** What versions of PyTorch wrote that the one behind tests/golden/weights does not. */
import assert from "node:assert/strict";
import { openWeightsBytes } from "../../../lib/io/weights_source.ts";
import {
  archive,
  bytesOf,
  call,
  dict,
  FOUR,
  global,
  int,
  legacy,
  pickle,
  storage,
  str,
  tensor,
  tuple,
  zip,
} from "../../support/pytorch_files.ts";

async function values(file: Uint8Array<ArrayBuffer>): Promise<Record<string, unknown[]>> {
  using weights = await openWeightsBytes(file, "x");
  const found: Record<string, unknown[]> = {};
  for (const name of weights.entries.keys()) {
    const { dtype, data } = await weights.read(name);
    found[name] = [dtype, ...data];
  }
  return found;
}

/** `_rebuild_tensor_v3`: the storage has no type, the tensor has one. */
const untyped = (dtype: string, count: number) =>
  call(
    "torch._utils",
    "_rebuild_tensor_v3",
    storage({ type: "UntypedStorage", length: 16 }),
    int(0),
    tuple(int(count)),
    tuple(int(1)),
    "\x89",
    call("collections", "OrderedDict"),
    global("torch", dtype),
    "N",
  );

Deno.test("tensors with a type of their own, of types that have no storage, too", async () => {
  assert.deepEqual(
    await values(archive(dict(["u", untyped("uint16", 4)], ["f", untyped("float32", 2)]))),
    {
      u: ["U16", 0, 0x3f80, 0, 0x4000],
      f: ["F32", 1, 2],
    },
  );
  using eight = await openWeightsBytes(
    archive(dict(["w", tensor()], ["q", untyped("float8_e4m3fn", 16)])),
    "x",
  );
  assert.deepEqual([...eight.entries.keys()], ["w"]);
  assert.equal(eight.metadata.q, "left out: a tensor of float8_e4m3fn, shape [16]");
  await assert.rejects(values(archive(untyped("uint64", 3))), /does not fit its storage of 2/);
  await assert.rejects(values(archive(untyped("float3", 3))), /a type that is not known/);
});

Deno.test("parameters, classes derived from tensors, storages of a GPU", async () => {
  const rebuilt = (name: string, ...args: string[]) => call("torch._utils", name, ...args);
  const of = global("torch._utils", "_rebuild_tensor_v2");
  const args = tensor().slice(of.length, -1);
  const derived = `${global("torch._tensor", "_rebuild_from_type_v2")}${
    tuple(of, global("my", "Tensor"), args, "}")
  }R`;
  const found = await values(archive(dict(
    [
      "parameter",
      rebuilt("_rebuild_parameter", tensor(), "\x88", call("collections", "OrderedDict")),
    ],
    ["named", rebuilt("_rebuild_parameter_with_state", tensor(), "\x88", "}", "}")],
    ["derived", derived],
    [
      "old",
      call("torch._utils", "_rebuild_tensor", storage(), int(1), tuple(int(2)), tuple(int(2))),
    ],
    ["gpu", tensor({ of: storage().replace("ctorch\n", "ctorch.cuda\n") })],
  )));
  const all = ["F32", 1, 2, 3, 4];
  assert.deepEqual(found, {
    parameter: all,
    named: all,
    derived: all,
    old: ["F32", 2, 4],
    gpu: all,
  });
});

Deno.test("parts of storages and texts of Python 2 in older files", async () => {
  const part = storage().replace(/tQ$/, `${tuple(str("v"), int(1), int(3))}tQ`);
  const body = `}(U\x01w${tensor({ of: "PART", offset: 1, shape: [2], strides: [1] })}U\x01s` +
    "T\x02\0\0\0\xe4bu";
  const file = legacy(body);
  const text = String.fromCharCode(...file).replace("PART", part);
  using weights = await openWeightsBytes(bytesOf(text), "x");
  assert.deepEqual([...(await weights.read("w")).data], [3, 4]);
  assert.deepEqual({ ...weights.metadata }, { s: "äb" });
});

Deno.test("an OrderedDict of pairs, a module's name, members of newer archives in any order", async () => {
  const pairs = `](${tuple(str("a"), tensor())}](${str("b")}${tensor()}ee`;
  const file = zip([
    ["x/.data/serialization_id", "1"],
    ["x/.storage_alignment", "64"],
    ["x/data/0", FOUR],
    ["x/version", "3\n"],
    ["x/byteorder", "little"],
    ["x/data.pkl", pickle(call("collections", "OrderedDict", pairs), 5)],
  ], { comment: "PK\x05\x06 a comment" });
  assert.deepEqual(Object.keys(await values(file)), ["a", "b"]);
  const id = `${tuple(str("module"), global("my", "Model"), str("m.py"), str("code"))}Q)\x81`;
  assert.deepEqual(Object.keys(await values(archive(dict(["m", id], ["w", tensor()])))), ["w"]);
});
