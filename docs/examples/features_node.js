/**
 * Features of pictures in Node: `npm install @hatchling/hatchling webgpu`, then
 * `node features_node.js MODEL PICTURE…`. In Bun it runs as well.
 */
import "@hatchling/hatchling/node";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { load } from "@hatchling/hatchling/load";

const [source, ...pictures] = process.argv.slice(2);
if (!pictures.length) {
  console.error("Expected a model and pictures: node features_node.js MODEL PICTURE…");
  process.exit(1);
}
const model = await load(source);
const files = await Promise.all(pictures.map((path) => readFile(path)));
console.log(JSON.stringify((await model.features(files)).map((numbers) => [...numbers])));
model.close();
