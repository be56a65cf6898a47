/** Pickles, zip archives and PyTorch files byte by byte, sound ones and others. Texts hold a byte per character. */
import { crc32 } from "node:zlib";

/** Texts and bytes as one array. */
export function bytesOf(...parts: (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    if (typeof part !== "string") all.set(part, at);
    else for (let i = 0; i < part.length; i++) all[at + i] = part.charCodeAt(i);
    at += part.length;
  }
  return all;
}

/** An unsigned number of some bytes. */
export function le(value: number | bigint, size: number): string {
  let text = "";
  for (let rest = BigInt(value), i = 0; i < size; i++, rest >>= 8n) {
    text += String.fromCharCode(Number(rest & 255n));
  }
  return text;
}

export const str = (text: string) => `X${le(text.length, 4)}${text}`;
export const int = (value: number | bigint) =>
  `\x8a\x08${le(BigInt.asUintN(64, BigInt(value)), 8)}`;
export const global = (module: string, name: string) => `c${module}\n${name}\n`;
export const tuple = (...items: string[]) => `(${items.join("")}t`;
export const dict = (...pairs: [string, string][]) =>
  `}(${pairs.map(([key, value]) => str(key) + value).join("")}u`;
export const call = (module: string, name: string, ...args: string[]) =>
  global(module, name) + tuple(...args) + "R";
export const pickle = (body: string, protocol = 2) =>
  `\x80${String.fromCharCode(protocol)}${body}.`;

/** The number that PyTorch knows its older files by, as a pickle. */
export const MAGIC = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

interface StorageOptions {
  type?: string;
  key?: string;
  length?: number | bigint;
  tail?: string;
}

/** A reference to a storage of four float32, unless something else is asked for. */
export const storage = (
  { type = "FloatStorage", key = "0", length = 4, tail = "" }: StorageOptions = {},
) => tuple(str("storage"), global("torch", type), str(key), str("cpu"), int(length), tail) + "Q";

interface TensorOptions {
  of?: string;
  offset?: number | bigint;
  shape?: (number | bigint)[];
  strides?: (number | bigint)[];
}

/** A tensor of 2 × 2, unless something else is asked for. */
export const tensor = (
  { of = storage(), offset = 0, shape = [2, 2], strides = [2, 1] }: TensorOptions = {},
) =>
  call(
    "torch._utils",
    "_rebuild_tensor_v2",
    of,
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    "\x89",
    call("collections", "OrderedDict"),
  );

interface ZipOptions {
  method?: number;
  flags?: number;
  crc?: number;
  size?: number;
  packed?: number;
  begin?: number;
  ownName?: string;
  extra?: string;
}

/** A member of an archive: its name, its bytes, and what the archive says of it that is not so. */
export type Member = [name: string, data: string | Uint8Array, options?: ZipOptions];

interface EndOptions {
  rows?: number;
  bytes?: number;
  begin?: number;
  disk?: number;
  comment?: string;
  before?: string;
  wide?: boolean;
}

/** A zip archive. */
export function zip(members: readonly Member[], end: EndOptions = {}): Uint8Array<ArrayBuffer> {
  const parts: (string | Uint8Array)[] = [], rows: string[] = [];
  let at = 0;
  for (const [name, content, options = {}] of members) {
    const data = bytesOf(content);
    const { method = 0, flags = 0, crc = crc32(data), size = data.length, extra = "" } = options;
    const { packed = size, begin = at, ownName = name } = options;
    const common = le(flags, 2) + le(method, 2) + le(0, 4) + le(crc, 4) + le(packed, 4) +
      le(size, 4);
    const head = `PK\x03\x04${le(20, 2)}${common}${le(ownName.length, 2)}${le(0, 2)}${ownName}`;
    parts.push(head, data);
    rows.push(
      `PK\x01\x02${le(20, 2)}${le(20, 2)}${common}${le(name.length, 2)}${le(extra.length, 2)}` +
        `${le(0, 2)}${le(0, 2)}${le(0, 2)}${le(0, 4)}${le(begin, 4)}${name}${extra}`,
    );
    at += head.length + data.length;
  }
  const table = rows.join("");
  const { rows: count = rows.length, bytes = table.length, begin = at, disk = 0 } = end;
  const { comment = "", before = "", wide = false } = end;
  const record = wide
    ? `PK\x06\x06${le(44, 8)}${le(20, 4)}${le(0, 8)}${le(count, 8)}${le(count, 8)}${le(bytes, 8)}` +
      `${le(begin, 8)}PK\x06\x07${le(0, 4)}${le(at + table.length, 8)}${le(1, 4)}`
    : "";
  const small = wide ? ["\xff\xff", "\xff\xff\xff\xff"] : [le(count, 2), ""];
  const last = `PK\x05\x06${le(disk, 2)}${le(disk, 2)}${small[0]}${small[0]}` +
    `${small[1] || le(bytes, 4)}${small[1] || le(begin, 4)}${le(comment.length, 2)}${comment}`;
  return bytesOf(...parts, table, before, record, last);
}

/** Four float32: 1, 2, 3, 4. */
export const FOUR = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);

/** A PyTorch archive that holds an object and one storage of {@linkcode FOUR}. */
export function archive(body: string, more: readonly Member[] = []): Uint8Array<ArrayBuffer> {
  const members: Member[] = [["a/data.pkl", pickle(body)], ["a/data/0", FOUR], ...more];
  return zip([...new Map(members.map((member) => [member[0], member])).values()]);
}

interface LegacyOptions {
  protocol?: string;
  machine?: string;
  keys?: string;
  storages?: string;
}

/** An older PyTorch file of an object and one storage of {@linkcode FOUR}. */
export function legacy(body: string, options: LegacyOptions = {}): Uint8Array<ArrayBuffer> {
  const { protocol = "M\xe9\x03", machine = dict(["little_endian", "\x88"]) } = options;
  const { keys = `](${str("0")}e` } = options;
  const { storages = le(4, 8) + String.fromCharCode(...FOUR) } = options;
  return bytesOf(
    MAGIC,
    pickle(protocol),
    pickle(machine),
    pickle(body.replaceAll("tQ", "NtQ")),
    pickle(keys),
    storages,
  );
}
