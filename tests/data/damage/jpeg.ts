/** Damaged and hostile JPEG. */
import { concat } from "../support.ts";
import { cut, type Damage, edit, find, insert, jpeg, progressive, text } from "./files.ts";

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
