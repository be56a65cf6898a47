/**
 * Structure of JPEG files: size and EXIF.
 *
 * Sources: ITU-T T.81, B.1 and B.2.2; EXIF 2.3, 4.7.2.
 *
 * @module
 */

import { HatchlingError } from "../../errors.ts";
import { ascii, type Size, viewOf } from "./bytes.ts";

/** A marker segment; a file that is cut off ends before `to`. */
interface Segment {
  marker: number;
  from: number;
  to: number;
}

/** Start of scan: compressed data follow. */
const SOS = 0xda;
/** End of image. */
const EOI = 0xd9;
/** Tables whose markers lie among those of the frame headers: DHT, JPG, DAC. */
const TABLES = [0xc4, 0xc8, 0xcc];
/** Kinds of frames that no decoder here takes. */
const KINDS: [kind: string, markers: number[]][] = [
  ["arithmetic-coded", [0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]],
  ["hierarchical", [0xc5, 0xc6, 0xc7]],
  ["lossless", [0xc3]],
];

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && !TABLES.includes(marker);
}

/** Segments up to the first scan. Stray bytes between them are passed over, as libjpeg and Pillow do. */
function* segments(bytes: Uint8Array): Generator<Segment> {
  const view = viewOf(bytes);
  for (let at = 2; at + 2 <= bytes.length;) {
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff || marker === 0xff) at++;
    else if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2; // without a length
    else if (marker === EOI) return yield { marker, from: at + 2, to: at + 2 };
    else {
      if (at + 4 > bytes.length) return;
      const length = view.getUint16(at + 2);
      if (length < 2) {
        throw new HatchlingError(`damaged JPEG: a segment of length ${length} at byte ${at}`);
      }
      yield { marker, from: at + 4, to: at + 2 + length };
      if (marker === SOS) return;
      at += 2 + length;
    }
  }
}

/**
 * Size of a JPEG by its frame header.
 *
 * @param bytes The file, or its beginning.
 * @returns The size, or undefined when `bytes` end before it.
 * @throws {HatchlingError} when the file is damaged before it, or of a kind that is not decoded.
 */
export function jpegSize(bytes: Uint8Array): Size | undefined {
  const view = viewOf(bytes);
  for (const { marker, from } of segments(bytes)) {
    if (marker === SOS || marker === EOI) {
      throw new HatchlingError("damaged JPEG: picture data or its end before the frame header");
    }
    if (!isFrame(marker)) continue;
    if (from + 6 > bytes.length) return;
    const kind = KINDS.find(([, markers]) => markers.includes(marker))?.[0] ??
      (bytes[from] === 8 ? undefined : `${bytes[from]}-bit`);
    if (kind) {
      throw new HatchlingError(
        `${kind} JPEG cannot be decoded: save it again as an ordinary (Huffman-coded, 8-bit) JPEG or as PNG`,
      );
    }
    return { width: view.getUint16(from + 3), height: view.getUint16(from + 1) };
  }
}

/**
 * EXIF block of a whole JPEG: the first one before the first scan, as Pillow takes it.
 *
 * @param file A file that {@linkcode jpegSize} has accepted.
 */
export function jpegExif(file: Uint8Array): Uint8Array | undefined {
  for (const { marker, from, to } of segments(file)) {
    if (marker === 0xe1 && ascii(file, from, 6) === "Exif\0\0") return file.subarray(from, to);
  }
}

/** What an Adobe segment says of the components: as they are, YCbCr, or YCbCr for CMY besides K. */
const AS_STORED = 0, YCBCR = 1, YCCK = 2;

/** What libjpeg, and with it browsers and Pillow, take three or four components for. */
function transformOf(ids: string, jfif: boolean, stated: number | undefined): number {
  if (ids.length === 4) return (stated ?? AS_STORED) === AS_STORED ? AS_STORED : YCCK;
  if (jfif) return YCBCR;
  return stated === AS_STORED || (stated === undefined && ids === "RGB") ? AS_STORED : YCBCR;
}

/** What the segments up to the first scan say of the frame. */
interface Frame {
  components: { id: string; across: number; down: number }[];
  jfif: boolean;
  /** Transform by the last Adobe segment. */
  stated?: number;
  /** Where the first scan starts. */
  scan: number;
  /** Markers that were met. */
  markers: Set<number>;
}

function readFrame(file: Uint8Array): Frame {
  const frame: Frame = { components: [], jfif: false, scan: file.length, markers: new Set() };
  for (const { marker, from, to } of segments(file)) {
    frame.markers.add(marker);
    if (marker === 0xe0 && ascii(file, from, 5) === "JFIF\0") frame.jfif = true;
    if (marker === 0xee && ascii(file, from, 5) === "Adobe" && to - from >= 12) {
      frame.stated = file[from + 11];
    }
    if (isFrame(marker)) {
      frame.components = Array.from({ length: file[from + 5] }, (_, c) => {
        const at = from + 6 + 3 * c;
        return { id: ascii(file, at, 1), across: file[at + 1] >> 4, down: file[at + 1] & 15 };
      });
    }
    if (marker === SOS) frame.scan = from - 4;
  }
  return frame;
}

/** Fewest bits that the frame can take: one for the DC coefficient of every 8 × 8 block. */
function fewestBits({ components }: Frame, { width, height }: Size): number {
  const most = (of: "across" | "down") => Math.max(1, ...components.map((c) => c[of]));
  const across = most("across"), down = most("down");
  return components.reduce((sum, c) => {
    const columns = Math.ceil(width * c.across / across / 8);
    return sum + columns * Math.ceil(height * c.down / down / 8);
  }, 0);
}

/**
 * The file as the decoder should get it: with an Adobe segment about its colours where decoders would
 * disagree about them. An ordinary file stays as it is.
 *
 * @param file A file that {@linkcode jpegSize} has accepted.
 * @param size What it said.
 * @throws {HatchlingError} when so few data cannot hold a picture of this size: decoding would take long
 * and give gray.
 */
export function prepareJpeg(file: Uint8Array, size: Size): Uint8Array {
  const frame = readFrame(file), { stated, scan } = frame;
  const bits = 8 * (file.length - scan);
  if (scan < file.length && bits < fewestBits(frame, size)) {
    throw new HatchlingError(
      `damaged JPEG: its header states ${size.width} × ${size.height} pixels, more than the ` +
        `${file.length - scan} bytes of data that follow can hold`,
    );
  }
  if (frame.components.length < 3) return file;
  const ids = frame.components.map(({ id }) => id).join("");
  const transform = transformOf(ids, frame.jfif, stated);
  if (transform === (stated ?? (ids.length === 3 ? YCBCR : undefined))) return file;
  // Right before the first scan: the last such segment counts.
  const name = new TextEncoder().encode("Adobe");
  const segment = Uint8Array.of(0xff, 0xee, 0, 14, ...name, 0, 100, 0, 0, 0, 0, transform);
  const out = new Uint8Array(file.length + segment.length);
  out.set(file.subarray(0, scan));
  out.set(segment, scan);
  out.set(file.subarray(scan), scan + segment.length);
  return out;
}

/**
 * What is wrong with a JPEG that could not be decoded, in words.
 *
 * @param file A file that {@linkcode jpegSize} has accepted.
 */
export function jpegFault(file: Uint8Array): string {
  const { markers, scan } = readFrame(file);
  if (scan === file.length) return "it ends before its picture data: the file was cut off";
  if (!markers.has(0xdb)) return "it has no quantisation tables";
  let end = file.length;
  while (end > scan && (file[end - 2] !== 0xff || file[end - 1] !== EOI)) end--;
  if (end === scan) return "it has no end marker: the file was cut off";
  if (!markers.has(0xc4)) return "it has no Huffman tables";
  return "its compressed data are damaged, or of a kind that is not decoded";
}
