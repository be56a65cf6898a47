/**
 * The WebAssembly codecs, imported on first use and one by one.
 *
 * Not through imagescript's main file, which would also load native code (`--allow-ffi`). They need
 * `--allow-read` and `--allow-env`.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import type { Header } from "./header.ts";

/** What a decoder gives. */
export interface Frame {
  width: number;
  height: number;
  buffer: Uint8Array;
}

/** The part of the codecs that is used, by format; the packages have no types for it. */
export interface Codecs {
  PNG: { decode(file: Uint8Array): Frame & { framebuffer: Uint8Array } };
  JPEG: { decode(file: Uint8Array): Frame & { format: number } };
  WebP: {
    decode(file: Uint8Array): { width: number; height: number; data: Uint8ClampedArray } | null;
  };
}

/** Formats that a codec decodes; GIF is read without one. */
type Format = Exclude<Header["format"], "GIF">;
/** Makes an instance. */
type Make<F extends Format> = () => Promise<Codecs[F]>;

const IMAGESCRIPT = "npm:imagescript@1.3.1", WEBP = "npm:@jsquash/webp@1.5.0";

// Literal specifiers: those are cached and locked ahead.
const SOURCES: { [F in Format]: [name: string, load: () => Promise<Make<F>>] } = {
  PNG: [IMAGESCRIPT, async () => {
    const { default: png } = await import("npm:imagescript@1.3.1/wasm/node/png.js");
    return () => png.init();
  }],
  JPEG: [IMAGESCRIPT, async () => {
    const { default: jpeg } = await import("npm:imagescript@1.3.1/wasm/node/jpeg.js");
    return () => jpeg.init();
  }],
  WebP: [WEBP, async () => {
    const { default: webp } = await import("npm:@jsquash/webp@1.5.0/codec/dec/webp_dec.js");
    return () => webp({ noInitialRun: true }) as ReturnType<Make<"WebP">>;
  }],
};

/** No codec: nothing to do with any file. */
export class CodecError extends HatchlingError {}

const makers: { [F in Format]?: Promise<Make<F>> } = {};
const idle: { [F in Format]?: Codecs[F] } = {};

/**
 * Loads a codec ahead of the first file; downloads it when the cache does not hold it.
 *
 * @param format What it decodes.
 * @throws {CodecError} when it cannot be loaded: offline, or without `--allow-read --allow-env`.
 */
export async function loadCodec(format: Format): Promise<void> {
  await maker(format);
}

function maker<F extends Format>(format: F): Promise<Make<F>> {
  const [name, load] = SOURCES[format];
  const start = async (): Promise<Make<F>> => {
    const make = await load();
    idle[format] = await make(); // the first instance reads the WebAssembly file
    return make;
  };
  const found: Promise<Make<F>> | undefined = makers[format];
  if (found) return found;
  const loading = start().catch((error) => {
    delete makers[format]; // the next call tries again
    throw new CodecError(
      `The ${format} decoder ${name} cannot be loaded: it needs --allow-read and --allow-env, and ` +
        `the network on first use (${firstLine(error)})`,
    );
  });
  (makers as Record<Format, unknown>)[format] = loading;
  return loading;
}

/**
 * Lends a codec. It is kept for the next file after a success only: a bad file may leave anything behind
 * in its memory, which also never shrinks; so one that has decoded a large picture is dropped too.
 *
 * @param format What to decode.
 * @param keep Whether it may be kept.
 * @param use Decodes.
 */
export async function withCodec<F extends Format, R>(
  format: F,
  keep: boolean,
  use: (codec: Codecs[F]) => R,
): Promise<R> {
  const make = await maker(format);
  const codec: Codecs[F] = idle[format] ?? await make();
  delete idle[format];
  const result = use(codec);
  if (keep) idle[format] = codec;
  return result;
}

/** What an error says, without the rest. */
export function firstLine(error: unknown): string {
  return String((error as Error)?.message ?? error).split("\n")[0];
}
