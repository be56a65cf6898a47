/**
 * Picture files to {@linkcode Picture}.
 *
 * Only the decoding worker should import this at run time: decoding blocks its thread.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { firstLine, type Frame, withCodec } from "./codecs.ts";
import { gifFault, gifFrame } from "./formats/gif.ts";
import { jpegFault, prepareJpeg } from "./formats/jpeg.ts";
import { pngFault } from "./formats/png.ts";
import { plainPng, stillPng } from "./formats/png_still.ts";
import { webpStill } from "./formats/webp.ts";
import { type Header, readHeader, readOrientation } from "./header.ts";
import { compositeOnWhite, type Picture, splitAlpha, upright, withChannels } from "./image.ts";
import { reduceTo } from "./resample.ts";

/** Codecs are kept for the next file up to this size: the memory of a WebAssembly instance never shrinks. */
const KEEP_PIXELS = 2 ** 20, KEEP_BYTES = 2 ** 22;

/** What may be wrong where the codec only says that something is. */
const FAULTS = {
  PNG: pngFault,
  JPEG: jpegFault,
  GIF: gifFault,
  WebP: () => "its compressed data are damaged",
};

/**
 * Channels that a file can be decoded to: 1 gray (luma of 3), 3 colour composited on white, 4 colour that
 * is not composited and alpha (255 where the file has none).
 */
export type DecodeChannels = 1 | 3 | 4;

/**
 * Decodes one file: first frame, EXIF orientation applied, reduced to `maxPixels` (antialiased, channel by
 * channel) when larger.
 *
 * @param file Contents of a PNG, JPEG, GIF or WebP; the format is told by its bytes.
 * @param maxPixels Limit for width × height of the result; `Infinity` keeps every size.
 * @param channels Channels of the result.
 * @throws {HatchlingError} with the reason, without the file's name, when it cannot be decoded;
 * CodecError when the reason is not the file.
 */
export async function decodePicture(
  file: Uint8Array,
  maxPixels: number,
  channels: DecodeChannels = 3,
): Promise<Picture> {
  const header = readHeader(file, true)!;
  let picture: Picture;
  try {
    picture = await decodeAs(header, file);
  } catch (error) {
    if (error instanceof HatchlingError) throw error; // says all there is to say
    throw new HatchlingError(
      `damaged or truncated ${header.format} of ${file.length} bytes: ${
        FAULTS[header.format](file)
      } ` +
        `(${firstLine(error)})`,
    );
  }
  if (picture.width !== header.width || picture.height !== header.height) {
    throw new HatchlingError(
      `damaged ${header.format}: its header states ${header.width} × ${header.height} pixels, its data ` +
        `are ${picture.width} × ${picture.height}`,
    );
  }
  if (channels === 4) picture = splitAlpha(picture);
  else if (header.format !== "JPEG") compositeOnWhite(picture.data);
  picture = upright(reduceTo(picture, maxPixels), readOrientation(file, header.format));
  return channels === 1 ? withChannels(picture, 1) : picture;
}

/** RGBA8 with straight alpha. */
async function decodeAs(header: Header, file: Uint8Array): Promise<Picture> {
  const { format } = header;
  const keep = header.width * header.height <= KEEP_PIXELS && file.length <= KEEP_BYTES;
  if (format === "PNG") {
    const { width, height, framebuffer } = await decodePng(stillPng(file), keep);
    return { width, height, data: framebuffer };
  }
  if (format === "JPEG") {
    return fromJpeg(
      await withCodec(format, keep, (jpeg) => jpeg.decode(prepareJpeg(file, header))),
    );
  }
  if (format === "WebP") {
    const still = webpStill(file, header);
    const { width, height, data } = await withCodec(format, keep, (webp) => {
      const found = webp.decode(still.file);
      if (found?.width !== still.width || found.height !== still.height) {
        throw new Error("failed to decode");
      }
      return found;
    });
    const { x, y } = still;
    const buffer = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return placeFrame(header, { x, y, width, height, buffer });
  }
  return placeFrame(header, gifFrame(file));
}

/** The decoder is strict: what it refuses may be a picture for all others. */
async function decodePng(file: Uint8Array, keep: boolean) {
  try {
    return await withCodec("PNG", keep, (png) => png.decode(file));
  } catch (error) {
    const plain = error instanceof HatchlingError ? undefined : plainPng(file);
    if (!plain) throw error;
    return await withCodec("PNG", keep, (png) => png.decode(plain));
  }
}

/** Gray (format 0), RGB (1) or CMYK (2) to RGBA; naive CMYK, as no colour profile is read. */
function fromJpeg({ width, height, format, buffer }: Frame & { format: number }): Picture {
  const pixels = new Int32Array(width * height); // red in the lowest byte
  const opaque = 0xff000000;
  if (format === 0) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = buffer[i] * 0x010101 | opaque;
  } else if (format === 1) {
    for (let i = 0, at = 0; i < pixels.length; i++, at += 3) {
      pixels[i] = buffer[at] | buffer[at + 1] << 8 | buffer[at + 2] << 16 | opaque;
    }
  } else {
    for (let i = 0, at = 0; i < pixels.length; i++, at += 4) {
      const light = 255 - buffer[at + 3];
      const lit = (c: number) => Math.round((255 - buffer[at + c]) * light / 255);
      pixels[i] = lit(0) | lit(1) << 8 | lit(2) << 16 | opaque;
    }
  }
  return { width, height, data: new Uint8Array(pixels.buffer) };
}

/** A frame may cover a part of the canvas; the rest is transparent. */
function placeFrame(canvas: Header, frame: Frame & { x: number; y: number }): Picture {
  const { width, height } = canvas;
  if (frame.x + frame.width > width || frame.y + frame.height > height) {
    throw new Error(`a frame of ${frame.width} × ${frame.height} at (${frame.x}, ${frame.y})`);
  }
  if (frame.width === width && frame.height === height) {
    return { width, height, data: frame.buffer };
  }
  const data = new Uint8Array(4 * width * height);
  for (let y = 0; y < frame.height; y++) {
    const row = frame.buffer.subarray(4 * y * frame.width, 4 * (y + 1) * frame.width);
    data.set(row, 4 * ((y + frame.y) * width + frame.x));
  }
  return { width, height, data };
}
