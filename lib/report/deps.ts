/**
 * The packages behind charts, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

export * as Plot from "npm:@observablehq/plot@0.6.17";
export { initWasm, Resvg } from "npm:@resvg/resvg-wasm@2.6.2";
export { parseHTML } from "npm:linkedom@0.18.15";
export { default as bold } from "npm:@expo-google-fonts/ibm-plex-sans@0.4.1/600SemiBold/IBMPlexSans_600SemiBold.ttf" with { type: "bytes" };
export { default as font } from "npm:@expo-google-fonts/ibm-plex-sans@0.4.1/400Regular/IBMPlexSans_400Regular.ttf" with { type: "bytes" };
export { default as wasm } from "npm:@resvg/resvg-wasm@2.6.2/index_bg.wasm" with { type: "bytes" };
