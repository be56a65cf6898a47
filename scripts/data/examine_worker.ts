/**
 * A worker of `Decoder` that answers with facts instead of pixels; with "?deep" behind its URL it compares
 * pixels too.
 *
 * @module
 */
import { serveDecoding } from "../../lib/data/decode_server.ts";
import { examine } from "./examine.ts";

const deep = new URL(import.meta.url).search === "?deep";

serveDecoding((file) => examine(file, deep));
