/**
 * TensorBoard's event files: records of TFRecord, each with an Event in protocol buffers.
 *
 * The wire format and the checksum come from packages, small ones and without dependencies; the schema is six
 * fields of TensorFlow's event.proto and summary.proto, for which no generated code is worth having.
 *
 * @module
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import crc32c from "crc-32/crc32c.js";

/** Field numbers of Event, SessionLog, Summary and Summary.Value. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SESSION_LOG = { status: 1 } as const, START = 1;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2 } as const;

/** Tags and wire types of protocol buffers. */
const tag = (field: number, type: 0 | 1 | 2 | 5) => field << 3 | type;
const VARINT = 0, BIT64 = 1, BYTES = 2, BIT32 = 5;

/** When something happened. */
export interface EventTime {
  /** Seconds since 1970. */
  seconds: number;
  /** Steps done. */
  step: number;
}

/** The record that every file begins with: which version of the format it has. */
export function versionRecord(seconds: number): Uint8Array {
  return record(
    event({ seconds, step: 0 }).uint32(tag(EVENT.fileVersion, BYTES)).string("brain.Event:2"),
  );
}

/** The record of a start: TensorBoard then forgets what earlier files hold of that step and later ones. */
export function startRecord(time: EventTime): Uint8Array {
  const log = new BinaryWriter().uint32(tag(SESSION_LOG.status, VARINT)).int32(START).finish();
  return record(event(time).uint32(tag(EVENT.sessionLog, BYTES)).bytes(log));
}

/** The record of some scalars by their tags. They are float32, as everywhere in TensorBoard. */
export function scalarsRecord(
  time: EventTime,
  scalars: Iterable<readonly [tag: string, value: number]>,
): Uint8Array {
  const summary = new BinaryWriter();
  for (const [name, value] of scalars) {
    const inner = new BinaryWriter().uint32(tag(VALUE.tag, BYTES)).string(name)
      .uint32(tag(VALUE.simpleValue, BIT32)).float(Math.fround(value)).finish();
    summary.uint32(tag(SUMMARY.value, BYTES)).bytes(inner);
  }
  return record(event(time).uint32(tag(EVENT.summary, BYTES)).bytes(summary.finish()));
}

function event({ seconds, step }: EventTime): BinaryWriter {
  const writer = new BinaryWriter().uint32(tag(EVENT.wallTime, BIT64)).double(seconds);
  return step ? writer.uint32(tag(EVENT.step, VARINT)).int64(step) : writer; // 0 goes without saying
}

/** A TFRecord: length, its checksum, data, their checksum; all in little endian. */
function record(message: BinaryWriter): Uint8Array {
  const data = message.finish();
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return out;
}

/** CRC-32C, rotated and shifted so that checksums of checksums are not special. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
}
