/**
 * The table of a zip archive, and where its members lie (APPNOTE.TXT 6.3.10, zip64 included).
 *
 * PyTorch stores its members as they are, so a tensor can be read from the middle of one. Packages on npm hand out
 * streams of unpacked members, which is what cannot be used here; what is left to do is this table. Nothing is ever
 * unpacked: a member that is compressed or encrypted is refused, and so is a table that disagrees with itself.
 *
 * @module
 */
import { bytesOf, type ByteSource } from "../byte_source.ts";
import { brief } from "../safetensors_header.ts";

/** A member of an archive, as the table at its end tells. */
export interface ZipMember {
  /** Its path in the archive. Only ever compared, never used as a path on a disk. */
  name: string;
  /** Bytes that it holds, stored as they are. */
  size: number;
  /** CRC-32 of these. */
  crc: number;
  /** How it is packed: 0 is not at all. */
  method: number;
  /** Bit 0 says that it is encrypted. */
  flags: number;
  /** Where its own header begins. */
  begin: number;
  /** Where the next member, or the table, begins. */
  limit: number;
}

/** Says what is wrong with a file. */
export type Fail = (message: string) => never;

const END = 22, END64_LOCATOR = 20, END64 = 56, ROW = 46, LOCAL = 30;

/** A comment may follow the end record. */
const MAX_COMMENT = 0xffff;

/** Largest table that is read; one of a thousand tensors takes 100 kB. */
const MAX_TABLE = 1 << 26;

const SIGNATURES = {
  end: 0x06054b50,
  end64Locator: 0x07064b50,
  end64: 0x06064b50,
  row: 0x02014b50,
  local: 0x04034b50,
};

const dataView = ({ buffer, byteOffset, length }: Uint8Array) =>
  new DataView(buffer, byteOffset, length);

/** A count of 64 bits: those that no number holds are larger than any file. */
const wide = (view: DataView, at: number) => Number(view.getBigUint64(at, true));

/** Where the table lies. */
interface Table {
  begin: number;
  bytes: number;
  rows: number;
}

/** The end record: the last one whose comment ends where the file does. */
async function findTable(source: ByteSource, fail: Fail): Promise<Table> {
  const { size } = source;
  const from = Math.max(0, size - END - MAX_COMMENT);
  const tail = dataView(await bytesOf(source, from, size));
  let at = tail.byteLength - END;
  const ends = (at: number) =>
    tail.getUint32(at, true) === SIGNATURES.end &&
    at + END + tail.getUint16(at + 20, true) === tail.byteLength;
  while (at >= 0 && !ends(at)) at--;
  if (at < 0) fail("the table at its end is missing (file cut off?)");
  const disks = [4, 6].map((field) => tail.getUint16(at + field, true));
  const table = {
    rows: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    begin: tail.getUint32(at + 16, true),
  };
  const end = from + at;
  const isWide = table.rows === 0xffff || table.bytes === 0xffffffff || table.begin === 0xffffffff;
  // PyTorch writes the wide table, too, where it is not needed
  return await findTable64(source, end, fail) ??
    (isWide ? fail("its zip64 table is missing") : checked(table, disks, end, fail));
}

/** The table of an archive that may have more than 65,534 members or 4 GiB, if there is one. */
async function findTable64(
  source: ByteSource,
  end: number,
  fail: Fail,
): Promise<Table | undefined> {
  const at = end - END64_LOCATOR;
  if (at < END64) return undefined;
  const locator = dataView(await bytesOf(source, at, end));
  if (locator.getUint32(0, true) !== SIGNATURES.end64Locator) return undefined;
  const begin = at - END64;
  const record = dataView(await bytesOf(source, begin, at));
  if (
    wide(locator, 8) !== begin || record.getUint32(0, true) !== SIGNATURES.end64 ||
    wide(record, 4) !== END64 - 12
  ) fail("its zip64 table is damaged");
  const disks = [16, 20].map((field) => record.getUint32(field, true));
  const table = { rows: wide(record, 32), bytes: wide(record, 40), begin: wide(record, 48) };
  return checked(table, disks, begin, fail);
}

function checked(table: Table, disks: number[], end: number, fail: Fail): Table {
  if (disks.some(Boolean)) fail("it is one part of an archive in several");
  const { begin, bytes, rows } = table;
  if (begin + bytes !== end) {
    fail(`expected its table to end at byte ${end} but found ${begin} + ${bytes}`);
  }
  if (bytes > MAX_TABLE) fail(`expected a table of at most ${MAX_TABLE} bytes but found ${bytes}`);
  if (rows * ROW > bytes) fail(`its table of ${bytes} bytes cannot hold ${rows} members`);
  return table;
}

/** Sizes and place of a member where 32 bits do not hold them, in the order in which they are missing. */
function wideFields(extra: DataView, fields: number[], fail: Fail): number[] {
  const absent = fields.filter((value) => value === 0xffffffff).length;
  if (!absent) return fields;
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const [id, length] = [extra.getUint16(at, true), extra.getUint16(at + 2, true)];
    if (id === 1 && length >= 8 * absent && at + 4 + length <= extra.byteLength) {
      let next = at + 4;
      return fields.map((value) => {
        if (value !== 0xffffffff) return value;
        next += 8;
        return wide(extra, next - 8);
      });
    }
    at += 4 + length;
  }
  return fail("a member's zip64 sizes are missing");
}

/**
 * Reads the table of an archive and checks that its members lie one after the other.
 *
 * @param fail Throws an error that also names the file.
 */
export async function readZip(source: ByteSource, fail: Fail): Promise<Map<string, ZipMember>> {
  const table = await findTable(source, fail);
  const bytes = await bytesOf(source, table.begin, table.begin + table.bytes);
  const view = dataView(bytes);
  const members = new Map<string, ZipMember>();
  let at = 0;
  for (let row = 0; row < table.rows; row++) {
    if (at + ROW > bytes.length || view.getUint32(at, true) !== SIGNATURES.row) {
      fail(`row ${row} of its table is damaged`);
    }
    const [nameBytes, extraBytes, noteBytes] = [28, 30, 32].map((i) =>
      view.getUint16(at + i, true)
    );
    const extraAt = at + ROW + nameBytes, next = extraAt + extraBytes + noteBytes;
    if (next > bytes.length) fail(`row ${row} of its table is cut off`);
    const name = new TextDecoder().decode(bytes.subarray(at + ROW, extraAt));
    const [size, packed, begin] = wideFields(
      dataView(bytes.subarray(extraAt, extraAt + extraBytes)),
      [24, 20, 42].map((field) => view.getUint32(at + field, true)),
      fail,
    );
    const method = view.getUint16(at + 10, true);
    if (method === 0 && packed !== size) fail(`member ${brief(name)}: its sizes disagree`);
    if (members.has(name)) fail(`its table names ${brief(name)} twice`);
    members.set(name, {
      name,
      size,
      crc: view.getUint32(at + 16, true),
      method,
      flags: view.getUint16(at + 8, true),
      begin,
      limit: table.begin,
    });
    at = next;
  }
  if (at !== bytes.length) fail(`its table holds ${bytes.length - at} bytes more than it says`);
  const inOrder = [...members.values()].sort((a, b) => a.begin - b.begin);
  inOrder.forEach((member, i) => {
    if (i + 1 < inOrder.length) member.limit = inOrder[i + 1].begin;
    const least = LOCAL + (member.method === 0 ? member.size : 0);
    if (!(member.begin + least <= member.limit)) {
      fail(`member ${brief(member.name)} overlaps what follows it`);
    }
  });
  return members;
}

/** Where the bytes of a member begin, which only its own header tells. */
export async function locate(source: ByteSource, member: ZipMember, fail: Fail): Promise<number> {
  const { name, method, flags, size, begin, limit } = member;
  const where = `member ${brief(name)}`;
  if (flags & 1) fail(`${where} is encrypted`);
  if (method !== 0) fail(`${where} is compressed, which torch.save never does: save it again`);
  // its header and the name that is expected there, in one go
  const expected = new TextEncoder().encode(name).length;
  const bytes = await bytesOf(source, begin, Math.min(begin + LOCAL + expected, limit));
  const header = dataView(bytes);
  if (header.getUint32(0, true) !== SIGNATURES.local) fail(`${where}: its header is damaged`);
  const nameBytes = header.getUint16(26, true);
  const start = begin + LOCAL + nameBytes + header.getUint16(28, true);
  if (start + size > limit) fail(`${where} overlaps what follows it`);
  const own = new TextDecoder().decode(bytes.subarray(LOCAL));
  if (nameBytes !== expected || own !== name) {
    fail(`${where} is called ${brief(own)} in its own header`);
  }
  return start;
}
