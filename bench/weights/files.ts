/**
 * A ViT-L/16 as files: 304 M parameters, 1.2 GB, as torch.save writes them now and did before, and as safetensors.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import {
  bytesOf,
  dict,
  le,
  legacy,
  pickle,
  storage,
  str,
  tensor,
} from "../../tests/support/pytorch_files.ts";

/** A tensor of float32. */
interface Shape {
  name: string;
  shape: number[];
}

const DIM = 1024, DEPTH = 24, MLP = 4096, TOKENS = 197, PATCH = 16;

const BLOCK: Record<string, number[]> = {
  "norm1.weight": [DIM],
  "norm1.bias": [DIM],
  "attn.qkv.weight": [3 * DIM, DIM],
  "attn.qkv.bias": [3 * DIM],
  "attn.proj.weight": [DIM, DIM],
  "attn.proj.bias": [DIM],
  "norm2.weight": [DIM],
  "norm2.bias": [DIM],
  "mlp.fc1.weight": [MLP, DIM],
  "mlp.fc1.bias": [MLP],
  "mlp.fc2.weight": [DIM, MLP],
  "mlp.fc2.bias": [DIM],
};

const SHAPES: readonly Shape[] = [
  { name: "cls_token", shape: [1, 1, DIM] },
  { name: "pos_embed", shape: [1, TOKENS, DIM] },
  { name: "patch_embed.proj.weight", shape: [DIM, 3, PATCH, PATCH] },
  { name: "patch_embed.proj.bias", shape: [DIM] },
  ...Array.from(
    { length: DEPTH },
    (_, i) =>
      Object.entries(BLOCK).map(([name, shape]) => ({ name: `blocks.${i}.${name}`, shape })),
  ).flat(),
  { name: "norm.weight", shape: [DIM] },
  { name: "norm.bias", shape: [DIM] },
];

const lengthOf = ({ shape }: Shape) => shape.reduce((a, b) => a * b, 1);

/** Bytes of all tensors. */
export const TENSOR_BYTES = SHAPES.reduce((sum, shape) => sum + 4 * lengthOf(shape), 0);

/** Values of the largest tensor, of which every tensor takes as many as it needs. */
function someValues(): Uint8Array<ArrayBuffer> {
  const values = new Float32Array(MLP * DIM);
  for (let i = 0, state = 1; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 36;
  }
  return new Uint8Array(values.buffer);
}

/** The object: every tensor with a storage of its own. */
const object = () =>
  dict(...SHAPES.map((of, i): [string, string] => {
    const length = lengthOf(of);
    const strides = of.shape.map((_, axis) => of.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return [
      of.name,
      tensor({ of: storage({ key: `${i}`, length }), shape: of.shape, strides }),
    ];
  }));

type Write = (...parts: (string | Uint8Array)[]) => void;

function writeArchive(write: Write, values: Uint8Array): void {
  const rows: string[] = [];
  let at = 0;
  const member = (name: string, data: Uint8Array) => {
    const common = le(0, 8) + le(crc32(data), 4) + le(data.length, 4).repeat(2);
    const head = `PK\x03\x04${le(20, 2)}${common}${le(name.length, 2)}${le(0, 2)}${name}`;
    rows.push(
      `PK\x01\x02${le(20, 2).repeat(2)}${common}${le(name.length, 2)}${le(0, 12)}${
        le(at, 4)
      }${name}`,
    );
    write(head, data);
    at += head.length + data.length;
  };
  member("vit/data.pkl", bytesOf(pickle(object())));
  SHAPES.forEach((of, i) => member(`vit/data/${i}`, values.subarray(0, 4 * lengthOf(of))));
  const table = rows.join("");
  write(table, `PK\x05\x06${le(0, 4)}${le(rows.length, 2).repeat(2)}`);
  write(le(table.length, 4), le(at, 4), le(0, 2));
}

function writeLegacy(write: Write, values: Uint8Array): void {
  const keys = `](${SHAPES.map((_, i) => str(`${i}`)).join("")}e`;
  write(legacy(object(), { keys, storages: "" }));
  for (const of of SHAPES) write(le(lengthOf(of), 8), values.subarray(0, 4 * lengthOf(of)));
}

function writeSafetensors(write: Write, values: Uint8Array): void {
  let at = 0;
  const rows = SHAPES.map((of) => {
    const offsets = [at, at += 4 * lengthOf(of)];
    return [of.name, { dtype: "F32", shape: of.shape, data_offsets: offsets }];
  });
  const header = JSON.stringify(Object.fromEntries(rows));
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  write(le(padded.length, 8), padded);
  for (const of of SHAPES) write(values.subarray(0, 4 * lengthOf(of)));
}

const WRITERS: Record<string, (write: Write, values: Uint8Array) => void> = {
  "vit.safetensors": writeSafetensors,
  "vit.pth": writeArchive,
  "vit-legacy.pth": writeLegacy,
};

/** Names of the files, a format each. */
export const FILES: readonly string[] = Object.keys(WRITERS);

/** Writes one of them and gives its path. */
export function writeFile(folder: string, name: string): string {
  const path = `${folder}/${name}`;
  using file = Deno.openSync(path, { write: true, create: true });
  WRITERS[name]((...parts) => {
    for (const part of parts) {
      const bytes = typeof part === "string" ? bytesOf(part) : part;
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    }
  }, someValues());
  return path;
}
