/** Files that are cut off, and those that are no pictures. */
import { type Damage, good, jpeg, lossless, lossy, progressive, text } from "./files.ts";

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
