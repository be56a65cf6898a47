/** Archives, as packages come in them. */
import { Buffer } from "node:buffer";

const encode = (text: string) => new TextEncoder().encode(text);

/** A ustar archive of plain files, as `tar --format=ustar` writes them. */
export function tar(files: Iterable<[string, Uint8Array]>): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [name, data] of files) {
    const header = new Uint8Array(512);
    header.set(encode(name));
    header.set(encode(data.length.toString(8).padStart(11, "0")), 124);
    header.set(encode("0"), 156);
    header.set(encode("ustar\0" + "00"), 257);
    blocks.push(header, data, new Uint8Array((512 - data.length % 512) % 512));
  }
  blocks.push(new Uint8Array(1024));
  return new Uint8Array(Buffer.concat(blocks));
}
