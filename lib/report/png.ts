/**
 * Charts as PNG.
 *
 * @module
 */
import { bold, font, initWasm, Resvg, wasm } from "./deps.ts";

/** Pixels of a file per pixel of a chart. */
const ZOOM = 2;

let ready: Promise<void> | undefined;

/** A chart's SVG as PNG, on white and with a font that it brings: a machine may have none. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  await (ready ??= initWasm(wasm));
  const whole = svg.replace(
    "<svg ",
    '<svg xmlns="http://www.w3.org/2000/svg" color="#1f2328" ',
  );
  const resvg = new Resvg(whole, {
    background: "#ffffff",
    fitTo: { mode: "zoom", value: ZOOM },
    font: {
      fontBuffers: [font, bold],
      defaultFontFamily: "IBM Plex Sans",
      sansSerifFamily: "IBM Plex Sans",
    },
  });
  try {
    return resvg.render().asPng();
  } finally {
    resvg.free();
  }
}
