/**
 * PNG, JPEG and GIF (first frame) to {@linkcode Picture}, through imagescript's WebAssembly codecs.
 *
 * Only the decoding worker should import this at run time: decoding blocks its thread. The codecs are
 * imported on first use and one by one, not through the package's main file, which would also load
 * native code (`--allow-ffi`); they need `--allow-read` and `--allow-env`.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { type Header, readHeader } from "./header.ts";
import { compositeOnWhite, type Picture, upright } from "./image.ts";
import { fitWithin, resizeBicubic } from "./resample.ts";

/** The part of imagescript's codec modules that is used; the package has no types for them. */
interface Codecs {
  png: { init(): Promise<{ decode(file: Uint8Array): Frame & { framebuffer: Uint8Array } }> };
  jpeg: { init(): Promise<{ decode(file: Uint8Array): Frame & { format: number } }> };
  gif: { init(): Promise<{ Decoder: new (file: Uint8Array) => GifDecoder }> };
}

interface Frame {
  width: number;
  height: number;
  buffer: Uint8Array;
}

interface GifDecoder {
  width: number;
  height: number;
  frame(): Frame & { x: number; y: number } | null;
}

let codecs: Promise<Codecs> | undefined;

/**
 * Loads the codecs ahead of the first file; downloads them when the cache does not hold them.
 *
 * @throws {HatchlingError} when they cannot be loaded: offline, or without `--allow-read --allow-env`.
 */
export async function loadCodecs(): Promise<void> {
  await load();
}

function load(): Promise<Codecs> {
  return codecs ??= Promise.all([
    import("npm:imagescript@1.3.1/wasm/node/png.js"),
    import("npm:imagescript@1.3.1/wasm/node/jpeg.js"),
    import("npm:imagescript@1.3.1/wasm/node/gif.js"),
  ]).then(([png, jpeg, gif]) => ({ png: png.default, jpeg: jpeg.default, gif: gif.default }))
    .catch((error) => {
      codecs = undefined; // the next call tries again
      throw new HatchlingError(
        `The picture decoder npm:imagescript@1.3.1 cannot be loaded: it needs --allow-read and ` +
          `--allow-env, and the network on first use (${firstLine(error)})`,
      );
    });
}

function firstLine(error: unknown): string {
  return String((error as Error)?.message ?? error).split("\n")[0];
}

/**
 * Decodes one file: first frame, EXIF orientation applied, alpha composited on white, reduced to
 * `maxPixels` (antialiased) when larger.
 *
 * @param file Contents of a PNG, JPEG or GIF; the format is told by its bytes.
 * @param maxPixels Limit for width × height of the result; `Infinity` keeps every size.
 * @throws {HatchlingError} with the reason, without the file's name, when it cannot be decoded.
 */
export async function decodePicture(file: Uint8Array, maxPixels: number): Promise<Picture> {
  const header = readHeader(file, true)!;
  await loadCodecs(); // outside of try: its failure says nothing about this file
  let picture: Picture;
  try {
    picture = await decodeAs(header.format, file);
  } catch (error) {
    throw new HatchlingError(
      `damaged or truncated ${header.format} of ${file.length} bytes (${firstLine(error)})`,
    );
  }
  compositeOnWhite(picture.data);
  const size = fitWithin(picture.width, picture.height, maxPixels);
  return upright(resizeBicubic(picture, size.width, size.height), header.orientation);
}

/** Every decode gets a WebAssembly instance of its own, so a bad file leaves nothing behind. */
async function decodeAs(format: Header["format"], file: Uint8Array): Promise<Picture> {
  const { png, jpeg, gif } = await load();
  if (format === "PNG") {
    const { width, height, framebuffer } = (await png.init()).decode(file);
    return { width, height, data: framebuffer };
  }
  if (format === "JPEG") return fromJpeg((await jpeg.init()).decode(file));
  const decoder = new (await gif.init()).Decoder(file);
  const frame = decoder.frame();
  if (!frame) throw new Error("no frame");
  return placeFrame(decoder.width, decoder.height, frame);
}

/** Gray (format 0), RGB (1) or CMYK (2) to RGBA; naive CMYK, as no colour profile is read. */
function fromJpeg({ width, height, format, buffer }: Frame & { format: number }): Picture {
  const data = new Uint8Array(4 * width * height).fill(255);
  const channels = [1, 3, 4][format];
  for (let i = 0, from = 0; i < data.length; i += 4, from += channels) {
    if (format === 2) {
      const light = 255 - buffer[from + 3];
      for (let c = 0; c < 3; c++) data[i + c] = Math.round((255 - buffer[from + c]) * light / 255);
    } else {
      for (let c = 0; c < 3; c++) data[i + c] = buffer[from + (format === 0 ? 0 : c)];
    }
  }
  return { width, height, data };
}

/** A frame may cover a part of the screen; the rest is transparent. What sticks out is cut off. */
function placeFrame(
  width: number,
  height: number,
  frame: Frame & { x: number; y: number },
): Picture {
  const data = new Uint8Array(4 * width * height);
  const columns = Math.min(frame.width, width - frame.x);
  const rows = Math.min(frame.height, height - frame.y);
  for (let y = 0; y < rows && columns > 0; y++) {
    const from = 4 * y * frame.width;
    const row = frame.buffer.subarray(from, from + 4 * columns);
    data.set(row, 4 * ((y + frame.y) * width + frame.x));
  }
  return { width, height, data };
}
