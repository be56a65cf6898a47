/** Damaged and hostile picture files, made from good ones. */
import { crc32, deflateSync } from "node:zlib";
import { chunk, concat, png } from "./support.ts";
import gif from "./fixtures/pictures/gif_animated.gif" with { type: "bytes" };
import jpeg from "./fixtures/pictures/jpeg_420.jpg" with { type: "bytes" };
import progressive from "./fixtures/pictures/jpeg_progressive_420.jpg" with { type: "bytes" };
import animated from "./fixtures/pictures/webp_animated_lossy.webp" with { type: "bytes" };
import lossless from "./fixtures/pictures/webp_lossless.webp" with { type: "bytes" };
import lossy from "./fixtures/pictures/webp_lossy.webp" with { type: "bytes" };

/** What should come of a file: the picture of a sound one, a reason, or `undefined` for either of any content. */
export type Outcome = Uint8Array | RegExp | undefined;

/** A kind of damage. */
export type Damage = [kind: string, file: Uint8Array, outcome: Outcome];

const text = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));

/** The file with other bytes at a place. */
function edit(file: Uint8Array, at: number, bytes: number[]): Uint8Array {
  const out = file.slice();
  out.set(bytes, at);
  return out;
}

/** Where a text of latin-1 starts. */
function find(file: Uint8Array, what: string): number {
  const at = String.fromCharCode(...file).indexOf(what);
  if (at < 0) throw new Error(`no ${JSON.stringify(what)} in this file`);
  return at;
}

/** The file without a range. */
function cut(file: Uint8Array, from: number, to: number): Uint8Array {
  return concat([file.subarray(0, from), file.subarray(to)]);
}

/** The file with something put in at a place. */
function insert(file: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  return concat([file.subarray(0, at), bytes, file.subarray(at)]);
}

const noise = (x: number, y: number, c: number) => (x * y * (c + 7) + 31 * x) & 255;
const good = png({ width: 40, height: 40, sample: noise });
const paletted = png({
  width: 8,
  height: 8,
  colour: 3,
  palette: [1, 2, 3, 200, 100, 0],
  sample: (x, y) => (x + y) & 1,
});

/** The PNG with another header, its checksum right. */
function header(file: Uint8Array, at: number, bytes: number[]): Uint8Array {
  const out = edit(file, 16 + at, bytes);
  new DataView(out.buffer).setUint32(29, crc32(out.subarray(12, 29)));
  return out;
}

/** The PNG with other compressed data. */
function withData(file: Uint8Array, data: Uint8Array): Uint8Array {
  const from = find(file, "IDAT") - 4;
  return concat([file.subarray(0, from), chunk("IDAT", data), chunk("IEND", new Uint8Array())]);
}

/** Begins to inflate to 200 MB. */
const bomb = () => deflateSync(new Uint8Array(2e8), { level: 9 });

export function pngDamage(): Damage[] {
  const idat = find(good, "IDAT"), iend = find(good, "IEND") - 4;
  const plte = find(paletted, "PLTE") - 4;
  return [
    ["PNG: bit depth 7", header(good, 8, [7]), /bit depth 7, colour type 2.* does not allow/],
    ["PNG: colour type 5", header(good, 9, [5]), /colour type 5.* does not allow/],
    ["PNG: 16-bit palette", header(paletted, 8, [16]), /bit depth 16, colour type 3/],
    ["PNG: unknown compression", header(good, 10, [1]), /compression 1/],
    ["PNG: unknown interlacing", header(good, 12, [2]), /interlace 2/],
    ["PNG: width 0", header(good, 0, [0, 0, 0, 0]), /its size is 0 × 40/],
    ["PNG: 60000 × 60000", header(good, 0, [0, 0, 234, 96, 0, 0, 234, 96]), /more than the limit/],
    ["PNG: header says more rows", header(good, 4, [0, 0, 0, 80]), /^damaged or truncated PNG/],
    ["PNG: header says 10000 × 9999", header(good, 0, [0, 0, 39, 16, 0, 0, 39, 15]), /^damaged/],
    ["PNG: header with a wrong checksum", edit(good, 29, [1]), /^damaged or truncated PNG/],
    [
      "PNG: another chunk first",
      edit(good, 12, [...text("gAMA")]),
      /IHDR of 13 bytes first but found "gAMA" of 13/,
    ],
    ["PNG: no IDAT", cut(good, idat - 4, iend), /^damaged or truncated PNG/],
    ["PNG: no IEND", good.subarray(0, iend), good],
    ["PNG: palette missing", cut(paletted, plte, plte + 18), /^damaged or truncated PNG/],
    ["PNG: wrong checksum", edit(good, iend - 4, [1, 2, 3, 4]), /^damaged or truncated PNG/],
    ["PNG: a flipped bit", edit(good, idat + 90, [good[idat + 90] ^ 4]), /^damaged or truncated/],
    [
      "PNG: chunk beyond the end",
      edit(good, idat - 4, [0, 127, 0, 0]),
      /^damaged or truncated PNG/,
    ],
    ["PNG: chunk of 2^32 - 1", edit(good, idat - 4, [255, 255, 255, 255]), /^damaged or truncated/],
    ["PNG: data that inflate to 200 MB", withData(good, bomb()), /^damaged or truncated PNG/],
    [
      "PNG: data that are not zlib",
      withData(good, text("no zlib data")),
      /^damaged or truncated PNG/,
    ],
    [
      "PNG: too few data",
      withData(good, deflateSync(new Uint8Array(9))),
      /^damaged or truncated PNG/,
    ],
    [
      "PNG: a text that inflates to 200 MB",
      insert(good, 33, chunk("zTXt", concat([text("a\0\0"), bomb()]))),
      good,
    ],
    ["PNG: senseless EXIF", insert(good, 33, chunk("eXIf", text("MM\0*\xff\xff\xff\xff"))), good],
    ["PNG: garbage after its end", concat([good, new Uint8Array(999).fill(88)]), good],
    ["PNG: another PNG after its end", concat([good, paletted]), good],
  ];
}

/** A JPEG's segment with this marker: from its 0xff to its end. */
function segment(file: Uint8Array, marker: number): [from: number, to: number] {
  for (let at = 2; at < file.length; at += 2 + (file[at + 2] << 8 | file[at + 3])) {
    if (file[at + 1] === marker) return [at, at + 2 + (file[at + 2] << 8 | file[at + 3])];
  }
  throw new Error(`no segment ${marker.toString(16)}`);
}

/** Without all segments of this marker. */
function without(file: Uint8Array, marker: number): Uint8Array {
  try {
    return without(cut(file, ...segment(file, marker)), marker);
  } catch {
    return file;
  }
}

export function jpegDamage(): Damage[] {
  const [sof] = segment(jpeg, 0xc0), [sos, scan] = segment(jpeg, 0xda);
  // The third scan, the first of a chroma plane: read again and again it gives the same.
  const third = String.fromCharCode(...progressive).split("\xff\xda", 3).join("  ").length;
  const scans = progressive.subarray(third, third + find(progressive.subarray(third), "\xff\xc4"));
  const exif = Uint8Array.of(0xff, 0xe1, 0xff, 0xff, ...text("Exif\0\0MM\0*"));
  const half = scan + (jpeg.length - scan >> 1);
  return [
    ["JPEG: no quantisation tables", without(jpeg, 0xdb), /no quantisation tables/],
    ["JPEG: no Huffman tables", without(jpeg, 0xc4), /no Huffman tables/],
    ["JPEG: no frame header", without(jpeg, 0xc0), /before the frame header/],
    ["JPEG: no scan", jpeg.subarray(0, sos), /ends before its picture data/],
    ["JPEG: nothing after the scan's header", jpeg.subarray(0, scan), /^damaged or truncated JPEG/],
    ["JPEG: no end marker", jpeg.subarray(0, -2), /no end marker: the file was cut off/],
    ["JPEG: EXIF beyond the end", insert(jpeg, 2, exif), /file ends before its size is stated/],
    ["JPEG: a segment of length 0", edit(jpeg, 4, [0, 0]), /a segment of length 0 at byte 2/],
    ["JPEG: height 0", edit(jpeg, sof + 5, [0, 0]), /its size is 21 × 0/],
    ["JPEG: 65535 × 65535", edit(jpeg, sof + 5, [255, 255, 255, 255]), /more than the limit/],
    [
      "JPEG: 9000 × 9000, hardly any data",
      edit(jpeg, sof + 5, [35, 40, 35, 40]),
      /9000 × 9000 pixels, more than the 256 bytes/,
    ],
    ["JPEG: no components", edit(jpeg, sof + 9, [0]), /^damaged or truncated JPEG/],
    ["JPEG: 200 components", edit(jpeg, sof + 9, [200]), /^damaged or truncated JPEG/],
    ["JPEG: sampling factors 0", edit(jpeg, sof + 11, [0]), /^damaged or truncated JPEG/],
    ["JPEG: a table that does not exist", edit(jpeg, sof + 12, [3]), /^damaged or truncated JPEG/],
    [
      "JPEG: arithmetic coding",
      edit(jpeg, sof + 1, [0xc9]),
      /arithmetic-coded JPEG cannot be decoded: save/,
    ],
    ["JPEG: hierarchical", edit(jpeg, sof + 1, [0xc5]), /hierarchical JPEG cannot be decoded/],
    ["JPEG: 12 bits", edit(jpeg, sof + 4, [12]), /12-bit JPEG cannot be decoded/],
    ["JPEG: zeros in the scan", edit(jpeg, half, Array(60).fill(0)), undefined],
    ["JPEG: restart markers in the scan", edit(jpeg, half, [0xff, 0xd3, 0xff, 0xd0]), undefined],
    ["JPEG: a flipped bit in the scan", edit(jpeg, half, [jpeg[half] ^ 4]), undefined],
    ["JPEG: an end marker in the scan", edit(jpeg, half, [0xff, 0xd9]), undefined],
    ["JPEG: 500 scans", insert(progressive, third, concat(Array(500).fill(scans))), progressive],
    ["JPEG: garbage after its end", concat([jpeg, new Uint8Array(999).fill(88)]), jpeg],
    ["JPEG: another JPEG after its end", concat([jpeg, progressive]), jpeg],
    ["JPEG: garbage between segments", insert(jpeg, sof, new Uint8Array(99)), jpeg],
  ];
}

export function gifDamage(): Damage[] {
  const table = 13 + 3 * 2 ** ((gif[10] & 7) + 1);
  const frame = table + gif.subarray(table).indexOf(0x2c);
  const local = (at: number) => gif[at] & 0x80 ? 3 << (gif[at] & 7) + 1 : 0;
  const data = frame + 10 + local(frame + 9);
  const second = gif.lastIndexOf(0x2c);
  return [
    [
      "GIF: first frame of 60000 × 60000",
      edit(gif, frame + 5, [96, 234, 96, 234]),
      /60000 × 60000 pixels, more than/,
    ],
    [
      "GIF: first frame far outside",
      edit(gif, frame + 1, [255, 255, 255, 255]),
      /65556 × 65552 pixels/,
    ],
    ["GIF: first frame of no size", edit(gif, frame + 5, [0, 0]), /first frame is 0 × 17/],
    [
      "GIF: no frame",
      concat([gif.subarray(0, table), text(";")]),
      /first frame .*the end of the file/,
    ],
    [
      "GIF: an unknown block",
      insert(gif, frame, text("?")),
      /first frame at byte \d+ but found 0x3f/,
    ],
    ["GIF: code size 13", edit(gif, data, [13]), /^damaged or truncated GIF/],
    ["GIF: no colour table", cut(edit(gif, 10, [0]), 13, table), /^damaged or truncated GIF/],
    ["GIF: frame larger than its data", edit(gif, frame + 7, [99]), /^damaged or truncated GIF/],
    ["GIF: a flipped bit", edit(gif, data + 40, [gif[data + 40] ^ 4]), undefined],
    ["GIF: second frame damaged", edit(gif, second + 20, Array(20).fill(255)), gif],
    ["GIF: cut off in its second frame", gif.subarray(0, second + 30), gif],
    ["GIF: garbage after its end", concat([gif, new Uint8Array(999).fill(88)]), gif],
  ];
}

export function webpDamage(): Damage[] {
  const anmf = find(animated, "ANMF") + 8;
  const noFrames = [anmf - 8, find(animated.subarray(anmf), "ANMF") + anmf].reduce<Uint8Array>(
    (file, at) => edit(file, at, [...text("JUNK")]),
    animated,
  );
  const odd = (file: Uint8Array, at: number, bit: number) => edit(file, at, [file[at] ^ bit]);
  const x = (canvas: Uint8Array, width: number) => {
    const head = concat([
      text("VP8X"),
      Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, width - 1, 0, 0, 16, 0, 0),
    ]);
    return edit(insert(canvas, 12, head), 4, [canvas.length + 10 & 255, canvas.length + 10 >> 8]);
  };
  return [
    ["WebP: canvas as large as its picture", x(lossy, 21), lossy],
    ["WebP: canvas of another size", x(lossy, 22), /its picture is 21 × 17 but should be 22 × 17/],
    ["WebP: canvas of another size, lossless", x(lossless, 20), /21 × 17 but should be 20 × 17/],
    ["WebP: canvas of 2^24 × 2^24", edit(animated, 24, Array(6).fill(255)), /more than the limit/],
    [
      "WebP: frame outside the canvas",
      edit(animated, anmf, [1]),
      /first frame, 21 × 17 at \(2, 0\), leaves the canvas of 21 × 17/,
    ],
    [
      "WebP: frame larger than the canvas",
      edit(animated, anmf + 6, [255]),
      /first frame, 256 × 17/,
    ],
    [
      "WebP: frame of another size than its picture",
      edit(animated, anmf + 6, [9]),
      /its first frame is 21 × 17 but should be 10/,
    ],
    ["WebP: animation without frames", noFrames, /an animation without frames/],
    ["WebP: unknown chunk first", edit(lossy, 12, [...text("ABCD")]), /first but found "ABCD"/],
    [
      "WebP: VP8X and nothing else",
      edit(x(lossy, 21), 30, [...text("ABCD")]),
      /no picture \(no VP8/,
    ],
    ["WebP: wrong start code", edit(lossy, 23, [0]), /VP8 data do not start as they should/],
    ["WebP: size 0", edit(lossy, 26, [0, 0]), /its size is 0 × 17/],
    ["WebP: length 0", edit(lossy, 4, [0, 0, 0, 0]), /it states a length of 8 bytes/],
    ["WebP: a flipped bit, lossy", odd(lossy, lossy.length - 90, 4), undefined],
    ["WebP: a flipped bit, lossless", odd(lossless, lossless.length >> 1, 4), undefined],
    ["WebP: garbage after its end", concat([lossy, new Uint8Array(999).fill(88)]), lossy],
  ];
}

/** What is no picture, or none that is decoded, whatever its name says. */
export function foreign(): Damage[] {
  const kinds: [string, string, RegExp][] = [
    ["empty", "", /the file is empty \(0 bytes\)/],
    ["zeros", "\0".repeat(5000), /zeros only, its contents are lost: copy it again/],
    ["text", "hello, I am a text", /^not a PNG, JPEG, GIF or WebP: .*"hello, I am "/],
    ["two bytes", "\xff\xd8", /^not a PNG, JPEG, GIF or WebP/],
    ["web page", "\n<!DOCTYPE html><html>", /a web page is no picture: download it again/],
    ["archive", "PK\x03\x04rest of it", /an archive must be unpacked/],
    ["program", "\x7fELF\x02\x01\x01", /a program is no picture/],
    ["video", "\0\0\0\x20ftypisom\0\0", /a video is no picture/],
    ["sound", "RIFF\x24\0\0\0WAVEfmt ", /a sound is no picture/],
    ["BMP", "BM\x36\0\0\0", /BMP cannot be decoded: convert it to PNG or JPEG/],
    ["TIFF", "II*\0\x08\0\0\0", /TIFF .*convert/],
    ["AVIF", "\0\0\0\x20ftypavif", /AVIF .*convert/],
    ["HEIC", "\0\0\0\x18ftypheic", /HEIC .*convert/],
    ["JPEG XL", "\0\0\0\x0cJXL \r\n\x87\n", /JPEG XL .*convert/],
    ["SVG", '\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg width="9">', /SVG .*convert/],
  ];
  return kinds.map(([kind, start, reason]) => [`no picture: ${kind}`, text(start), reason]);
}

/** Sound files by format, cut off at every quarter. */
export function cutOff(): Damage[] {
  const files = {
    PNG: good,
    JPEG: jpeg,
    "progressive JPEG": progressive,
    "lossy WebP": lossy,
    "lossless WebP": lossless,
  };
  return Object.entries(files).flatMap(([format, file]) =>
    [0.25, 0.5, 0.75, 0.97].map((part): Damage => [
      `${format} cut off at ${part * 100} %`,
      file.subarray(0, Math.round(file.length * part)),
      /^damaged/,
    ])
  );
}

/** Sound files, for mutations. */
export const SOUND: Uint8Array[] = [
  good,
  paletted,
  jpeg,
  progressive,
  gif,
  lossy,
  lossless,
  animated,
];
