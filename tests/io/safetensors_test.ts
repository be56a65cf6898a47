import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../../lib/errors.ts";
import { isDeeper } from "../../lib/io/json_keys.ts";
import {
  float32Tensor,
  parseSafetensors,
  type RawTensor,
  serializeSafetensors,
  toFloat32,
} from "../../lib/io/safetensors.ts";
import { shown } from "../../lib/text.ts";
import basic from "../golden/golden_public/loss_k3.safetensors" with { type: "bytes" };
import picture from "../golden/golden_public/aug_noise_resize.safetensors" with { type: "bytes" };

/** A file with the given header text and so many bytes of zeros. */
function file(header: string, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

const fails = (bytes: Uint8Array, message: RegExp) =>
  assert.throws(() => parseSafetensors(bytes, "x.safetensors"), (error) => {
    assert(error instanceof HatchlingError);
    assert.match(error.message, /^x\.safetensors: not a valid safetensors file: /);
    assert.match(error.message, message);
    return true;
  });

Deno.test("parseSafetensors() reads shapes, types and values of a file made with numpy", () => {
  const { tensors, metadata } = parseSafetensors(basic as Uint8Array);
  assert.deepEqual(metadata, {});
  const student = tensors.get("in.student")!;
  assert.equal(student.dtype, "F32");
  assert.deepEqual(student.shape, [8, 3]);
  assert.equal(student.data.length, 24);
  assert(student.data instanceof Float32Array);
  assert(student.data.every((x) => Number.isFinite(x) && x !== 0));
  assert.equal(parseSafetensors(picture as Uint8Array).tensors.get("in.image")!.dtype, "U8");
});

Deno.test("serializeSafetensors() gives back the bytes of a file made with Python", () => {
  for (const bytes of [basic, picture] as Uint8Array[]) {
    const { tensors } = parseSafetensors(bytes);
    const backwards = new Map([...tensors].reverse());
    assert.deepEqual(serializeSafetensors(backwards), new Uint8Array(bytes));
  }
});

Deno.test("parseSafetensors() views the data in place when they are aligned, else copies", () => {
  const aligned = file(`{"a":${entry(0, 8)}}`.padEnd(64), 8);
  const a = parseSafetensors(aligned).tensors.get("a")!.data;
  assert.equal(a.buffer, aligned.buffer);
  const odd = file(`{"a":${entry(0, 8)}}`.padEnd(65), 8);
  odd.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), odd.length - 8);
  const b = parseSafetensors(odd).tensors.get("a")!.data;
  assert.notEqual(b.buffer, odd.buffer);
  assert.deepEqual([...b], [1.5, -2]);
});

Deno.test("parseSafetensors() reads a file that starts inside a larger buffer", () => {
  const inner = serializeSafetensors(
    new Map([["a", float32Tensor(new Float32Array([1, 2]), [2])]]),
  );
  for (const shift of [0, 1, 4, 8]) {
    const outer = new Uint8Array(inner.length + shift);
    outer.set(inner, shift);
    const { tensors } = parseSafetensors(outer.subarray(shift));
    assert.deepEqual([...tensors.get("a")!.data], [1, 2]);
  }
});

Deno.test("safetensors round trip keeps every type, shape, name and text", () => {
  const arrays: RawTensor[] = [
    { dtype: "BOOL", shape: [2], data: new Uint8Array([0, 1]) },
    { dtype: "U8", shape: [3], data: new Uint8Array([0, 255, 7]) },
    { dtype: "I8", shape: [1, 1], data: new Int8Array([-128]) },
    { dtype: "U16", shape: [1], data: new Uint16Array([65535]) },
    { dtype: "I16", shape: [1], data: new Int16Array([-32768]) },
    { dtype: "F16", shape: [1], data: new Uint16Array([0x3c00]) },
    { dtype: "BF16", shape: [1], data: new Uint16Array([0x3f80]) },
    { dtype: "U32", shape: [1], data: new Uint32Array([4294967295]) },
    { dtype: "I32", shape: [], data: new Int32Array([-5]) },
    { dtype: "F32", shape: [2, 0, 3], data: new Float32Array() },
    { dtype: "U64", shape: [1], data: new BigUint64Array([2n ** 63n]) },
    { dtype: "I64", shape: [1], data: new BigInt64Array([-(2n ** 60n)]) },
    { dtype: "F64", shape: [1, 2], data: new Float64Array([Math.PI, -0]) },
  ];
  const names = ["__proto__", "1", "a.b", 'quo"te', "ä€😀", ""];
  const tensors = new Map(arrays.map((t, i) => [names[i] ?? `t${i}`, t]));
  const bytes = serializeSafetensors(tensors, { step: "1", note: 'a "b"\n😀' });
  assert.equal(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8, 0);
  const back = parseSafetensors(bytes);
  assert.deepEqual(back.metadata, { step: "1", note: 'a "b"\n😀' });
  assert.deepEqual(new Map([...back.tensors].sort()), new Map([...tensors].sort()));
  for (const { data } of back.tensors.values()) assert.equal(data.buffer, bytes.buffer);
});

Deno.test("parseSafetensors() never throws anything but a HatchlingError on damaged bytes", () => {
  const good = serializeSafetensors(
    new Map([
      ["a", float32Tensor(new Float32Array(4), [2, 2])],
      ["b", { dtype: "U8", shape: [3], data: new Uint8Array(3) }],
    ]),
    { step: "1" },
  );
  fc.assert(
    fc.property(
      fc.nat(good.length),
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
      (length, changes) => {
        const bytes = good.slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        try {
          parseSafetensors(bytes);
        } catch (error) {
          assert(error instanceof HatchlingError, String(error));
        }
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("parseSafetensors() throws when a file is cut off anywhere", () => {
  const { length } = basic as Uint8Array;
  for (const end of [0, 7, 8, 9, 100, length - 1]) {
    assert.throws(() => parseSafetensors((basic as Uint8Array).slice(0, end)), HatchlingError);
  }
});

Deno.test("parseSafetensors() says what is wrong with a header", () => {
  fails(new Uint8Array(3), /8 bytes of header length but found 3 bytes/);
  const long = file("{}");
  long[6] = 1;
  fails(long, /header should take 281474976710658 bytes but only 2 follow/);
  fails(file("{"), /expected a JSON header/);
  fails(file(""), /expected a JSON header/);
  fails(file("[]"), /expected the header to be an object but found \[\]/);
  fails(file("null"), /expected the header to be an object but found null/);
  const bad = file("{}");
  bad[8] = 0xff;
  fails(bad, /not UTF-8/);
  fails(file(`{"__metadata__":{"a":1}}`), /metadata "a" to be a string but found 1/);
  fails(file(`{"__metadata__":[]}`), /__metadata__ to be an object/);
  fails(file(`{"a":3}`), /tensor "a": expected an object but found 3/);
});

Deno.test("parseSafetensors() says what is wrong with a tensor", () => {
  fails(file(`{"a":${entry(0, 4, [1], "F33")}}`, 4), /"a": expected a dtype out of BOOL,.*"F33"/);
  fails(file(`{"a":${entry(0, 4, [1], "toString")}}`, 4), /expected a dtype/);
  fails(file(`{"a":${entry(0, 4, [-1])}}`, 4), /shape of integers ≥ 0 but found \[-1\]/);
  fails(file(`{"a":${entry(0, 4, [0.5])}}`, 4), /shape of integers/);
  fails(file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), /data_offsets \[begin, end\] but found noth/);
  fails(file(`{"a":${entry(0, 4, [3])}}`, 4), /expected 12 bytes for F32 \[3\].*that is 4/);
  fails(file(`{"a":${entry(4, 0, [1])}}`, 4), /that is -4/);
  fails(file(`{"a":${entry(0, 4, [2 ** 52, 2 ** 52])}}`, 4), /expected .* bytes/);
  fails(file(`{"a":${entry(0, 8)}}`, 4), /lie beyond the 4 bytes of data/);
  fails(file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), /"b".*overlap the tensor before/);
  fails(file(`{"a":${entry(0, 8)},"b":${entry(0, 8)}}`, 8), /overlap/);
  fails(file(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), /leave a gap after byte 4/);
  fails(file(`{"a":${entry(0, 4)}}`, 6), /expected 4 bytes of data .* but found 6/);
});

Deno.test("parseSafetensors() refuses a name that stands twice", () => {
  fails(file(`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4), /names "a" twice/);
  fails(file(`{"a":${entry(0, 4)},"\\u0061":${entry(0, 4)}}`, 4), /names "a" twice/);
  fails(
    file(`{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4),
    /"dtype" tw/,
  );
  const texts = file(`{"__metadata__":{"a":"a\\"","b":"a"},"a":${entry(0, 4)}}`, 4);
  assert.equal(parseSafetensors(texts).metadata.b, "a");
});

Deno.test("serializeSafetensors() refuses values that do not fit", () => {
  const one = (tensor: RawTensor, name = "a") => () =>
    serializeSafetensors(new Map([[name, tensor]]));
  const good = float32Tensor(new Float32Array(2), [2]);
  assert.throws(one({ ...good, shape: [3] }), /"a": expected 3 values for shape \[3\] but found 2/);
  assert.throws(one({ ...good, dtype: "F64" }), /expected Float64Array but found Float32Array/);
  assert.throws(one(good, "__metadata__"), /keeps this name/);
  assert.throws(() => float32Tensor(new Float32Array(2), [2, 2]), HatchlingError);
});

Deno.test("toFloat32() converts half, bfloat16, integers and doubles", () => {
  const half = new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7c00, 0xfc00, 0x7e00, 0x3555, 0x8000]);
  assert.deepEqual(
    [...toFloat32({ dtype: "F16", shape: [8], data: half })],
    [1, -2, 2 ** -24, Infinity, -Infinity, NaN, 0.333251953125, -0],
  );
  const brain = new Uint16Array([0x3f80, 0xc049]);
  assert.deepEqual([...toFloat32({ dtype: "BF16", shape: [2], data: brain })], [1, -3.140625]);
  const wide = new BigInt64Array([-3n, 2n ** 40n]);
  assert.deepEqual([...toFloat32({ dtype: "I64", shape: [2], data: wide })], [-3, 2 ** 40]);
  const double = new Float64Array([Math.PI]);
  assert.deepEqual(
    [...toFloat32({ dtype: "F64", shape: [1], data: double })],
    [Math.fround(Math.PI)],
  );
});

Deno.test("a hostile header costs no more than its length, and fills no message", () => {
  const fault = (header: string, dataBytes = 0): string => {
    try {
      parseSafetensors(file(header, dataBytes), "x");
    } catch (error) {
      assert(error instanceof HatchlingError);
      return error.message;
    }
    return "none";
  };
  const million = 1_000_000;
  assert.match(
    fault(`{"a":${"[".repeat(million)}${"]".repeat(million)}}`),
    /the header is nested deeper than the format's/,
  );
  assert.match(fault(`{"a":${'{"a":'.repeat(million)}`), /nested deeper/);
  const messages = [
    fault(`{"${"a".repeat(million)}":3}`),
    fault(`{"a":{"dtype":"F32","shape":[${"1,".repeat(million)}1],"data_offsets":[0,8]}}`, 8),
    fault(`{"a":{"dtype":"${"F".repeat(million)}","shape":[1],"data_offsets":[0,4]}}`, 4),
    fault(`{"__metadata__":{"${"k".repeat(million)}":1}}`),
    fault("x".repeat(million)),
    fault(`{"\\u202e\\u001b[2J\\n":3}`),
    fault(`{"\u0085\u202e":3}`),
    fault("{\n\u202e\x1b[2J}"),
  ];
  for (const message of messages) {
    assert(message.length < 300, message.slice(0, 400));
    assert.equal(message, shown(message));
  }
});

Deno.test("isDeeper() counts brackets, but not those in strings", () => {
  assert(!isDeeper('{"a":{"b":[1]},"c":[]}', 3));
  assert(isDeeper('{"a":{"b":[[1]]}}', 3));
  assert(!isDeeper('{"[[[[\\"[[[[":"{{{{\\\\","a":[]}', 2));
  assert(!isDeeper('"[[[[', 1));
});
