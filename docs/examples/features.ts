/**
 * Features of pictures in Deno: `deno run -A features.ts MODEL PICTURE…`, the model a run's folder, a file of weights,
 * or an address. Elsewhere, write the URL of lib/load.ts for "../../lib/load.ts".
 */
import { load } from "../../lib/load.ts";

const [source, ...pictures] = Deno.args;
if (!pictures.length) {
  console.error("Expected a model and pictures: deno run -A features.ts MODEL PICTURE…");
  Deno.exit(1);
}
using model = await load(source);
const files = await Promise.all(pictures.map((path) => Deno.readFile(path)));
console.log(JSON.stringify((await model.features(files)).map((numbers) => [...numbers])));
