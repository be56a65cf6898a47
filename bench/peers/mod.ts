/**
 * The peers: whoever can be started here.
 *
 * @module
 */
import type { Contender } from "../contender.ts";
import { firstLine } from "../suite.ts";
import { openJax } from "./jax.ts";
import { openTfjs } from "./tfjs.ts";
import { openTorch } from "./torch.ts";

const PEERS = { "jax-js": openJax, tfjs: openTfjs, "torch-cpu": openTorch };

/** Starts all peers; one that fails is named in one line and left out. */
export async function openPeers(note: (line: string) => void): Promise<Contender[]> {
  const peers: Contender[] = [];
  for (const [name, open] of Object.entries(PEERS)) {
    try {
      peers.push(await open());
    } catch (error) {
      note(`without ${name}: ${firstLine(error)}`);
    }
  }
  return peers;
}
