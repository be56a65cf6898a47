/**
 * Features of pictures in Bun: `bun add @hatchling/hatchling webgpu`, then `bun features_bun.js MODEL PICTURE…`.
 */
import "@hatchling/hatchling/node";
import process from "node:process";
import { load } from "@hatchling/hatchling/load";

const [source, ...pictures] = Bun.argv.slice(2);
if (!pictures.length) {
  console.error("Expected a model and pictures: bun features_bun.js MODEL PICTURE…");
  process.exit(1);
}
const model = await load(source);
const files = await Promise.all(pictures.map((path) => Bun.file(path).bytes()));
console.log(JSON.stringify((await model.features(files)).map((numbers) => [...numbers])));
model.close();
