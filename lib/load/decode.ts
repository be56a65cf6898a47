/**
 * Picture files to pictures, wherever the program runs.
 *
 * @module
 */
import { CodecError } from "../data/codecs.ts";
import { type DecodeChannels, decodePicture } from "../data/decode.ts";
import { readHeader } from "../data/header.ts";
import { compositeOnWhite, type Picture, splitAlpha, withChannels } from "../data/image.ts";
import { reduceTo } from "../data/resample.ts";
import { HatchlingError } from "../errors.ts";

/**
 * Decodes a file as the project's data sets do; where their decoders cannot be loaded, by the browser, whose JPEGs may
 * differ by a few levels.
 *
 * @param maxPixels Larger pictures are reduced.
 * @throws {HatchlingError} With the reason, without a name of the file.
 */
export async function decodeFile(
  file: Uint8Array<ArrayBuffer>,
  maxPixels: number,
  channels: DecodeChannels,
): Promise<Picture> {
  try {
    return await decodePicture(file, maxPixels, channels);
  } catch (error) {
    const inBrowser = error instanceof CodecError && canvasOf(1, 1)?.getContext("2d");
    if (!inBrowser) throw error;
    return await decodeByBrowser(file, maxPixels, channels);
  }
}

/** Canvases of a browser; Deno has a class of that name, which draws nothing. */
interface Canvas {
  getContext(kind: "2d"): {
    drawImage(image: ImageBitmap, x: number, y: number): void;
    getImageData(x: number, y: number, width: number, height: number): ImageData;
  } | null;
}

const canvasOf = (width: number, height: number): Canvas | undefined => {
  const { OffscreenCanvas } = globalThis as {
    OffscreenCanvas?: new (width: number, height: number) => Canvas;
  };
  return OffscreenCanvas && new OffscreenCanvas(width, height);
};

async function decodeByBrowser(
  file: Uint8Array<ArrayBuffer>,
  maxPixels: number,
  channels: DecodeChannels,
): Promise<Picture> {
  const { format } = readHeader(file, true)!;
  const bitmap = await createImageBitmap(new Blob([file]), {
    imageOrientation: "from-image",
    premultiplyAlpha: "none",
    colorSpaceConversion: "none",
  }).catch((error) => {
    throw new HatchlingError(`damaged ${format} of ${file.length} bytes (${error.message})`);
  });
  const { width, height } = bitmap;
  const context = canvasOf(width, height)!.getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const rgba = { width, height, data: new Uint8Array(data.buffer) };
  if (channels === 4) return reduceTo(splitAlpha(rgba), maxPixels);
  compositeOnWhite(rgba.data);
  return withChannels(reduceTo(rgba, maxPixels), channels);
}
