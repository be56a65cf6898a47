/** Opens files of weights and reads every tensor once, keeping none: `open_weights.ts FILE…`, a line for each. */
import { openWeightsFile } from "../../lib/io/weights_file.ts";

for (const path of Deno.args) {
  try {
    using file = await openWeightsFile(path);
    let bytes = 0;
    for (const name of file.entries.keys()) bytes += (await file.read(name)).data.byteLength;
    console.log(`read ${bytes}`);
  } catch (error) {
    console.log(`${(error as Error).name}: ${(error as Error).message.split("\n")[0]}`);
  }
}
