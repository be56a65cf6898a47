/**
 * Charts as PNG.
 *
 * @module
 */
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import font from "@expo-google-fonts/ibm-plex-sans/400Regular/IBMPlexSans_400Regular.ttf" with {
  type: "bytes",
};
import bold from "@expo-google-fonts/ibm-plex-sans/600SemiBold/IBMPlexSans_600SemiBold.ttf" with {
  type: "bytes",
};
import wasm from "@resvg/resvg-wasm/index_bg.wasm" with { type: "bytes" };

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
