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
    const peer = await tryOpen(name, open, note);
    if (peer) peers.push(peer);
  }
  return peers;
}

/** Starts one peer, or says in one line why it is left out. */
export async function tryOpen<T>(
  name: string,
  open: () => Promise<T>,
  note: (line: string) => void,
): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    note(`without ${name}: ${firstLine(error)}`);
  }
}
