/**
 * Backbones by name.
 *
 * @module
 */
import { RESNET_DEFAULTS } from "../model/defaults.ts";
import {
  expansionOf,
  type ResNetConfig,
  type ResNetLayers,
  RESNETS,
} from "../model/resnet_shape.ts";

/** Widths of the named vision transformers: dim, depth and heads as in timm. */
export const TRANSFORMERS = {
  vit_tiny: { dim: 192, depth: 12, heads: 3 },
  vit_small: { dim: 384, depth: 12, heads: 6 },
  vit_base: { dim: 768, depth: 12, heads: 12 },
  vit_large: { dim: 1024, depth: 24, heads: 16 },
  vit_giant2: { dim: 1536, depth: 40, heads: 24 },
} as const;

/** Of a ResNet the last map can be read, as if it were the only block. */
const resnet = (layers: ResNetLayers) => ({
  dim: 512 * expansionOf({ layers }),
  depth: 1,
  heads: 1,
});

/** Widths of all named backbones. */
export const BACKBONES = {
  ...TRANSFORMERS,
  resnet18: resnet(18),
  resnet34: resnet(34),
  resnet50: resnet(50),
  resnet101: resnet(101),
  resnet152: resnet(152),
} as const;

/** The layers of a backbone that is a ResNet. */
export function resnetLayers(backbone: string): ResNetLayers | undefined {
  const layers = Number(/^resnet(\d+)$/.exec(backbone)?.[1]);
  return layers in RESNETS ? layers as ResNetLayers : undefined;
}

/** The shape of a configuration's ResNet, for pictures of some side. */
export function resnetShapeOf(
  { backbone, in_chans }: { backbone: string; in_chans: number },
  imageSize: number,
): Required<ResNetConfig> | undefined {
  const layers = resnetLayers(backbone);
  return layers && { ...RESNET_DEFAULTS, layers, imageSize, inChans: in_chans };
}
