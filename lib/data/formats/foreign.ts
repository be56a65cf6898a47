/**
 * What people's folders hold besides pictures that can be decoded: recognised to say what to do about it.
 *
 * @module
 */

import { ascii } from "./bytes.ts";

/** Bytes in which a file is recognised. */
const HEAD = 1024;

/** How the reason ends for a sound picture of a format that is not read. */
export const CONVERT = "cannot be decoded: convert it to PNG or JPEG";
const NONE = "is no picture";
const UNPACK = "must be unpacked";

/** Magic bytes as latin-1 text. */
const MAGIC: [name: string, advice: string, offset: number, magic: string[]][] = [
  ["AVIF", CONVERT, 4, ["ftypavif", "ftypavis"]],
  ["HEIC", CONVERT, 4, ["ftyphei", "ftyphev", "ftypmif1", "ftypmsf1"]],
  ["JPEG XL", CONVERT, 0, ["\xff\x0a", "\0\0\0\x0cJXL "]],
  ["JPEG 2000", CONVERT, 0, ["\0\0\0\x0cjP  ", "\xff\x4f\xff\x51"]],
  ["TIFF (or a camera's raw file)", CONVERT, 0, ["II*\0", "MM\0*"]],
  ["Photoshop's PSD", CONVERT, 0, ["8BPS"]],
  ["BMP", CONVERT, 0, ["BM"]],
  ["a Windows icon", CONVERT, 0, ["\0\0\x01\0", "\0\0\x02\0"]],
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
