/**
 * What rank 0 tells the others: JSON, broadcast.
 *
 * @module
 */
import type { Comm, CommLimit } from "../../../lib/comm.ts";

/** Bytes that the first broadcast of a message holds: its length, and most messages whole. */
const FIRST = 1024, LENGTH = 4;

/** Ranks may wait for rank 0 as long as somebody pauses it; whether it still lives is looked after elsewhere. */
export const PATIENT: Required<CommLimit> = { timeoutMs: 2 ** 31 - 1 };

/** Sends a value of rank 0 to all. */
export async function send(comm: Comm, value: unknown): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const first = new Uint8Array(FIRST);
  new DataView(first.buffer).setUint32(0, text.length);
  const isWhole = text.length <= FIRST - LENGTH;
  if (isWhole) first.set(text, LENGTH);
  await comm.broadcast(first, 0, PATIENT);
  if (!isWhole) await comm.broadcast(text, 0, PATIENT);
}

/** Receives what rank 0 sends. */
export async function receive<T>(comm: Comm): Promise<T> {
  const first = new Uint8Array(FIRST);
  await comm.broadcast(first, 0, PATIENT);
  const length = new DataView(first.buffer).getUint32(0);
  let text = first.subarray(LENGTH, LENGTH + length);
  if (length > FIRST - LENGTH) {
    text = new Uint8Array(length);
    await comm.broadcast(text, 0, PATIENT);
  }
  return JSON.parse(new TextDecoder().decode(text));
}
