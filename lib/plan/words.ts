/**
 * Numbers of a plan in words.
 *
 * @module
 */
import type { NamedBytes } from "./watched.ts";

/** "1.50 GiB", "27 MiB", "3 KiB". */
export function bytesText(bytes: number): string {
  if (bytes < 2 ** 19) return `${Math.ceil(bytes / 1024)} KiB`;
  const mib = bytes / 2 ** 20;
  return mib >= 1024 ? `${(mib / 1024).toFixed(2)} GiB` : `${mib.toFixed(mib < 10 ? 1 : 0)} MiB`;
}

/** What the labels of large tensors mean. */
const MEANINGS: Record<string, string> = {
  attention: "what attention gives",
  layer_norm: "normalised tokens",
  layer_scale: "what a branch adds",
  matmul: "a linear layer's result",
  patches: "patches of the views",
  pixels: "pictures of a batch",
  pre_gelu: "hidden layer of an MLP",
  student_logits: "logits of the student",
  swiglu: "hidden layer of an MLP",
  teacher_logits: "logits of the teacher",
  tensor: "views",
  tokens: "tokens",
};

/** "pre_gelu[2176, 256] (hidden layer of an MLP, 2.1 MiB)", perhaps without the bytes. */
export function tensorText({ what, bytes }: NamedBytes, withBytes = true): string {
  const meaning = MEANINGS[what.slice(0, what.indexOf("["))];
  const facts = [meaning, withBytes && bytesText(bytes)].filter(Boolean);
  return facts.length ? `${what} (${facts.join(", ")})` : what;
}
