/**
 * The pictures in the tab: decoded as everywhere else in the project, so that features are the same.
 *
 * @module
 */
import type { Dataset } from "../../../lib/data/dataset.ts";
import type { DecodeChannels } from "../../../lib/data/decode.ts";
import { hashOf } from "../../../lib/data/fingerprint.ts";
import { compositeOnWhite, type Picture, withChannels } from "../../../lib/data/image.ts";
import { inMemory } from "../../../lib/data/in_memory.ts";
import { reduceTo } from "../../../lib/data/resample.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import { decodeFile } from "../../../lib/load/decode.ts";
import type { AddedPicture, GivenFile } from "../protocol.ts";

/** Side of a thumbnail in pixels. */
const SIDE = 96;

/** Pixels of a picture at most, as `data.max_pixels` has it by default. */
const MOST_PIXELS = 2 ** 18;

/** Bytes of all pictures: what a tab may well have. */
const MOST_BYTES = 2 ** 30;

/** A picture with its name. */
export interface NamedPicture {
  /** Its path. */
  name: string;
  /** Its file, where it was one. */
  file?: Blob;
  /** Its pixels, three channels. */
  picture: Picture;
}

/** What a configuration makes of a picture. */
export interface Wanted {
  /** Pixels at most: `data.max_pixels`. */
  maxPixels: number;
  /** Channels: `model.in_chans`. */
  channels: number;
}

/** All pictures that were added. */
export class Pictures {
  readonly #all: NamedPicture[] = [];
  #bytes = 0;

  /** How many. */
  get length(): number {
    return this.#all.length;
  }

  /**
   * The picture of a number.
   *
   * @throws {HatchlingError} When there is none.
   */
  get(index: number): NamedPicture {
    const found = this.#all[index];
    if (found) return found;
    throw new HatchlingError(`Expected a picture below ${this.length} but found ${index}`);
  }

  /** The picture of a number as a configuration wants it. */
  async decoded(index: number, wanted: Wanted): Promise<Picture> {
    return await asWanted(this.get(index), wanted);
  }

  /** Takes in a file; throws where it is no picture. */
  async addFile({ name, file }: GivenFile): Promise<AddedPicture> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const picture = await decodeFile(bytes, MOST_PIXELS, 3).catch(async (error) => {
      // Formats that the project does not read, the browser may: HEIC, AVIF, BMP.
      const shown = await createImageBitmap(file).catch(() => undefined);
      if (!shown) throw error;
      return fromBitmap(shown);
    });
    return await this.add({ name, file, picture });
  }

  /** Takes in a picture. */
  async add(named: NamedPicture): Promise<AddedPicture> {
    this.#bytes += named.picture.data.length;
    if (this.#bytes > MOST_BYTES) {
      throw new HatchlingError(
        "Expected at most 1 GiB of pictures in a tab: train on more with Deno, deno task train",
      );
    }
    const index = this.#all.push(named) - 1;
    return { index, name: named.name, thumbnail: await thumbnailOf(named.picture) };
  }

  /** Forgets all. */
  clear(): void {
    this.#all.length = 0;
    this.#bytes = 0;
  }

  /**
   * Those that were files, as a folder of the same files is to Deno: in the order of their ids, the paths below the
   * folder, with the same fingerprint.
   */
  async folder(wanted: Wanted): Promise<Dataset> {
    const root = this.#root(),
      rows = this.#files()
        .map((file) => ({ ...file, name: file.name.slice(root.length) }))
        .sort((a, b) => a.name < b.name ? -1 : 1);
    if (!rows.length) {
      throw new HatchlingError(
        "Expected pictures to train on but found none: add some, or a folder",
      );
    }
    const pictures: Picture[] = [];
    for (const row of rows) pictures.push(await asWanted(row, wanted));
    const dataset = inMemory(root || "this tab", wanted.channels, pictures, (i) => rows[i].name);
    dataset.fingerprint = () => hashOf(rows.map(({ name, file }) => [name, file!.size]));
    return dataset;
  }

  /** How the folder of those that were files is called. */
  get path(): string {
    return this.#root().replace(/\/$/, "") || "pictures";
  }

  #files(): NamedPicture[] {
    return this.#all.filter(({ file }) => file);
  }

  #root(): string {
    return rootOf(this.#files().map(({ name }) => name));
  }
}

/** Decoded anew where that makes a difference, as Deno would decode it. */
async function asWanted(
  { file, picture }: NamedPicture,
  { maxPixels, channels }: Wanted,
): Promise<Picture> {
  const { width, height, original } = picture;
  const isSame = maxPixels === MOST_PIXELS || !original && width * height <= maxPixels;
  if (isSame && channels !== 4) return withChannels(picture, channels);
  if (!file) return withChannels(reduceTo(picture, maxPixels), channels);
  const bytes = new Uint8Array(await file.arrayBuffer());
  return await decodeFile(bytes, maxPixels, channels as DecodeChannels)
    .catch(() => withChannels(reduceTo(picture, maxPixels), channels)); // of a format for the browser
}

/** The folder that all paths begin with, "holidays/"; "" where there is none. */
function rootOf(names: readonly string[]): string {
  const first = names[0] ?? "", root = first.slice(0, first.indexOf("/") + 1);
  return names.every((name) => name.startsWith(root)) ? root : "";
}

function fromBitmap(bitmap: ImageBitmap): Picture {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return pictureOf(width, height, new Uint8Array(context.getImageData(0, 0, width, height).data));
}

/** Pixels, RGBA, as a picture: on white, and not too large. */
export function pictureOf(width: number, height: number, data: Uint8Array): Picture {
  compositeOnWhite(data);
  return reduceTo({ width, height, data }, MOST_PIXELS);
}

/** A picture of three channels for the page. */
export async function bitmapOf({ width, height, data }: Picture): Promise<ImageBitmap> {
  const pixels = new Uint8ClampedArray(data.slice(0, 4 * width * height).buffer);
  return await createImageBitmap(new ImageData(pixels, width, height));
}

async function thumbnailOf(picture: Picture): Promise<ImageBitmap> {
  const { width, height } = picture, side = Math.min(width, height);
  const whole = await bitmapOf(picture);
  const left = Math.floor((width - side) / 2), top = Math.floor((height - side) / 2);
  const large = side > SIDE;
  return await createImageBitmap(
    whole,
    left,
    top,
    side,
    side,
    large ? { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: "high" } : {},
  );
}
