/**
 * The emoji that come with the page, as `lib/data/emoji.ts` has them in Deno.
 *
 * @module
 */
import type { Dataset } from "../../../lib/data/dataset.ts";
import type { Picture } from "../../../lib/data/image.ts";
import { inMemory } from "../../../lib/data/in_memory.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import type { PackedSet } from "../emoji_file.ts";

/** Opens them; what comes with the page is loaded once. */
export async function openEmoji(): Promise<Dataset> {
  const load = async (name: string) => {
    const response = await fetch(new URL(name, import.meta.url)).catch(() => undefined);
    if (response?.ok) return response;
    throw new HatchlingError(
      "Expected the emoji beside the page but found none: it was built with --no-emoji, or is offline before all of " +
        "it was loaded. Train on pictures of your own",
    );
  };
  const { name, ids, side } = await (await load("emoji.json")).json() as PackedSet;
  const packed = (await load("emoji.bin")).body!.pipeThrough(new DecompressionStream("gzip"));
  const rgb = new Uint8Array(await new Response(packed).arrayBuffer());
  const area = side * side;
  if (rgb.length !== 3 * area * ids.length) {
    throw new HatchlingError(
      `Expected ${
        3 * area * ids.length
      } bytes of emoji but found ${rgb.length}: load the page anew`,
    );
  }
  const picture = (i: number): Picture => {
    const data = new Uint8Array(4 * area).fill(255);
    for (let p = 0; p < area; p++) {
      data.set(rgb.subarray(3 * (i * area + p), 3 * (i * area + p + 1)), 4 * p);
    }
    return { width: side, height: side, channels: 3, data };
  };
  const pictures = ids.map((_, i) => picture(i));
  return inMemory(name, 3, pictures, (i) => ids[i]);
}
