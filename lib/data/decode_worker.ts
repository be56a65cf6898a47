/**
 * The decoding worker.
 *
 * @module
 */

import { decodePicture } from "./decode.ts";
import { serveDecoding } from "./decode_server.ts";

serveDecoding((file, { maxPixels, channels }) => decodePicture(file, maxPixels, channels));
