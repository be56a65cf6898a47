/**
 * What people's folders hold besides pictures that can be decoded: recognised to say what to do about it.
 *
 * @module
 */

import { ascii } from "./bytes.ts";

/** Bytes in which a file is recognised. */
const HEAD = 1024;

/** How the reason ends for a sound picture of a format that is not read. */
const CONVERT = "cannot be decoded: convert it to PNG or JPEG";
const NONE = "is no picture";
const UNPACK = "must be unpacked";

const TIFF = "TIFF (or a camera's raw file)", RAW = "a camera's raw format";

/** Magic bytes as latin-1 text. */
const MAGIC: [name: string, advice: string, offset: number, magic: string[]][] = [
  ["AVIF", CONVERT, 4, ["ftypavif", "ftypavis"]],
  ["HEIC", CONVERT, 4, ["ftyphei", "ftyphev", "ftypmif1", "ftypmsf1"]],
  [RAW, CONVERT, 4, ["ftypcrx "]],
  ["JPEG XL", CONVERT, 0, ["\xff\x0a", "\0\0\0\x0cJXL "]],
  ["JPEG 2000", CONVERT, 0, ["\0\0\0\x0cjP  ", "\xff\x4f\xff\x51"]],
  [TIFF, CONVERT, 0, ["II*\0", "MM\0*", "II+\0", "MM\0+"]],
  [RAW, CONVERT, 0, ["FUJIFILMCCD-RAW", "IIRO", "IIU\0"]],
  ["PSD", CONVERT, 0, ["8BPS"]],
  ["BMP", CONVERT, 0, ["BM"]],
  ["ICO", CONVERT, 0, ["\0\0\x01\0", "\0\0\x02\0"]],
  ["PDF", CONVERT, 0, ["%PDF"]],
  ["a video", NONE, 4, ["ftyp"]],
  ["a video", NONE, 0, ["\x1a\x45\xdf\xa3"]],
  ["a video", NONE, 8, ["AVI "]],
  ["a sound", NONE, 8, ["WAVE"]],
  ["a sound", NONE, 0, ["ID3", "OggS", "fLaC"]],
  ["an archive", UNPACK, 0, ["PK\x03\x04", "PK\x05\x06", "\x1f\x8b", "7z\xbc\xaf", "Rar!", "BZh"]],
  ["an archive", UNPACK, 0, ["\xfd7zXZ", "\x28\xb5\x2f\xfd"]],
  ["a program", NONE, 0, ["\x7fELF", "MZ"]],
];

/** What a file name's extension announces, for pictures that are not decoded. */
const EXTENSIONS: Record<string, string> = {
  HEIC: "heic heif hif",
  AVIF: "avif",
  TIFF: "tif tiff",
  BMP: "bmp dib",
  [RAW]: "arw cr2 cr3 crw dng nef nrw orf pef raf raw rw2 srw",
  "JPEG XL": "jxl",
  "JPEG 2000": "jp2 j2k jpx",
  PSD: "psd psb",
  SVG: "svg svgz",
  ICO: "ico cur",
  Netpbm: "pbm pgm pnm ppm",
  TGA: "tga",
  EXR: "exr",
};
const NAMES = new Map(
  Object.entries(EXTENSIONS).flatMap(([name, list]) => list.split(" ").map((one) => [one, name])),
);

/** Commands that convert files of a format, all of an extension; a program that converts most is the default. */
const COMMANDS: Record<string, (extension: string) => string> = {
  HEIC: (e) =>
    `\`magick mogrify -format jpg *.${e}\`, or on macOS \`sips -s format jpeg *.${e} --out FOLDER\``,
  [RAW]: (e) => `\`darktable-cli ONE.${e} ONE.jpg\``,
  "JPEG XL": (e) => `\`djxl ONE.${e} ONE.png\``,
  SVG: (e) => `\`rsvg-convert -o ONE.png ONE.${e}\``,
};

/** The format that a file's name announces, why it is not read included; undefined where it is none of these. */
export function foreignByName(extension: string): string | undefined {
  const name = NAMES.get(extension.toLowerCase());
  return name && `${name} ${CONVERT}`;
}

/** The format, from the reason that {@linkcode foreignByName} or {@linkcode foreignKind} gave; undefined of others. */
export function formatOf(reason: string): string | undefined {
  const end = reason.indexOf(` ${CONVERT}`); // a list adds its line
  return end < 0 ? undefined : reason.slice(0, end);
}

/** How to convert files of a format with an extension, in words. */
export function conversionOf(format: string, extension: string): string {
  return (COMMANDS[format] ?? ((e) => `\`magick mogrify -format png *.${e}\``))(extension);
}

const TEXT: [name: string, advice: string, pattern: RegExp][] = [
  ["SVG", CONVERT, /^\s*<(svg|(\?xml|!--|!doctype svg)[^]*<svg)\b/i],
  ["Netpbm", CONVERT, /^P[1-7]\s/],
  ["a web page", `${NONE}: download it again`, /^\s*<(!doctype html|html|head|body)\b/i],
];

/**
 * What a file is, and what to do, in words.
 *
 * @param bytes The file, or its beginning; not empty.
 * @returns undefined when it is not known here.
 */
export function foreignKind(bytes: Uint8Array): string | undefined {
  const byMagic = MAGIC.find(([, , offset, magic]) =>
    magic.some((text) => ascii(bytes, offset, text.length) === text)
  );
  if (byMagic) return `${byMagic[0]} ${byMagic[1]}`;
  const head = bytes.subarray(0, HEAD);
  if (head.every((byte) => byte === 0)) {
    return "it starts with zeros only, its contents are lost: copy it again from its source";
  }
  const text = ascii(head, 0, HEAD).replace(/^\xef\xbb\xbf/, "");
  const byText = TEXT.find(([, , pattern]) => pattern.test(text));
  return byText && `${byText[0]} ${byText[1]}`;
}
