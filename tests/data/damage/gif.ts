/** Damaged and hostile GIF. */
import { concat } from "../support.ts";
import { cut, type Damage, edit, gif, insert, text } from "./files.ts";

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
