/**
 * Which residual network a file holds, read off its blocks.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import type { Network } from "../../io/names/networks.ts";
import { shown } from "../../text.ts";
import type { IdentifyOptions, ModelKeys } from "./types.ts";

/** Blocks of the four stages, and whether they are bottlenecks (He et al. 2016, arXiv:1512.03385, table 1). */
const STAGES: Readonly<Record<string, string>> = {
  "2,2,2,2": "resnet18",
  "3,4,6,3": "resnet34",
  "3,4,6,3 bottlenecks": "resnet50",
  "3,4,23,3 bottlenecks": "resnet101",
  "3,8,36,3 bottlenecks": "resnet152",
};

/** The residual network of a file. */
export function residualOf(
  { tensors }: Network,
  { file }: IdentifyOptions,
): { model: ModelKeys; family: string } {
  const blocks = [1, 2, 3, 4].map((stage) => {
    let count = 0;
    while (tensors.has(`layer${stage}.${count}.conv1.weight`)) count++;
    return count;
  });
  const found = blocks.join() + (tensors.has("layer1.0.conv3.weight") ? " bottlenecks" : "");
  const backbone = STAGES[found], [, channels] = tensors.get("conv1.weight")!.shape;
  if (backbone) {
    return {
      model: { backbone, in_chans: channels },
      family: `ResNet-${backbone.slice("resnet".length)}`,
    };
  }
  throw new HatchlingError(
    `Expected ResNet-18, 34, 50, 101 or 152 in ${shown(file)} but found stages of ${found}: ` +
      "others are not supported",
  );
}
