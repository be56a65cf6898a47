/**
 * Reading what kernels left, with an eye on drivers that hand out something else.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";

/** Reads outputs and a mark, twice: a driver that hands out old bytes, or others each time, shows. */
export async function readTwice(
  gpu: Gpu,
  marker: Tensor,
  mark: Uint32Array,
  tensors: readonly Tensor[],
): Promise<Map<Tensor, Uint32Array>> {
  const found = new Map<Tensor, Uint32Array>();
  for (const part of within(tensors, gpu.limits.maxBufferSize / 4)) {
    const [first, second] = [await gpu.read([marker, ...part]), await gpu.read([marker, ...part])];
    const bits = (values: Float32Array) => new Uint32Array(values.buffer);
    for (const [marked] of [first, second]) {
      const is = bits(marked);
      if (is.every((x, i) => x === mark[i])) continue;
      throw new HatchlingError(
        `Reading: expected the bytes ${hex(mark)} that were just written but found ${
          hex(is)
        }: the driver hands out others`,
      );
    }
    part.forEach((tensor, i) => {
      const [a, b] = [bits(first[i + 1]), bits(second[i + 1])];
      const at = a.findIndex((x, k) => x !== b[k]);
      if (at >= 0) {
        throw new HatchlingError(
          `Reading ${tensor} twice: expected the same bytes but found ${
            hex(a.subarray(at, at + 1))
          }, then ${hex(b.subarray(at, at + 1))} at ${at}`,
        );
      }
      found.set(tensor, a);
    });
  }
  return found;
}

/** Words as they stand in memory. */
export const hex = (bits: Uint32Array) => Array.from(bits, (x) => x.toString(16)).join(" ");

/** Lists of tensors whose bytes fit into one read. */
function* within(tensors: readonly Tensor[], bytes: number): Generator<Tensor[]> {
  let [list, size]: [Tensor[], number] = [[], 0];
  for (const tensor of tensors) {
    if (list.length && size + tensor.bytes > bytes) {
      yield list;
      [list, size] = [[], 0];
    }
    list.push(tensor);
    size += tensor.bytes;
  }
  if (list.length) yield list;
}
