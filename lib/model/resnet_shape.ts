/**
 * The convolutions of a ResNet, as torchvision has them. By themselves, so that a configuration knows sizes and costs
 * without a GPU's code.
 *
 * @module
 */

/** The usual ResNets by their layers (He et al. 2016, arXiv:1512.03385, table 1): blocks of the four stages. */
export const RESNETS = {
  18: { blocks: [2, 2, 2, 2], bottleneck: false },
  34: { blocks: [3, 4, 6, 3], bottleneck: false },
  50: { blocks: [3, 4, 6, 3], bottleneck: true },
  101: { blocks: [3, 4, 23, 3], bottleneck: true },
  152: { blocks: [3, 8, 36, 3], bottleneck: true },
} as const;

/** How many layers a ResNet has. */
export type ResNetLayers = keyof typeof RESNETS;

/**
 * Shape of a ResNet.
 *
 * @category Model
 */
export interface ResNetConfig {
  /** 18 or 34, of basic blocks; 50, 101 or 152, of bottlenecks. */
  layers: ResNetLayers;
  /** Pixels per side of the pictures that it is made for; others do as well. */
  imageSize: number;
  /** Channels of the first stage; 64 by default. */
  width?: number;
  /** Image channels; 3 by default. */
  inChans?: number;
}

/** One block: x + branch(x), each convolution followed by batch norm. */
export interface ResNetBlock {
  /** Prefix of its names: `layer1.0`. */
  name: string;
  /** Its convolutions, in order. */
  convs: ConvSpec[];
  /** What x goes through where its shape changes. */
  downsample?: ConvSpec;
}

/** A convolution and its batch norm. */
export interface ConvSpec {
  /** Names of the two. */
  conv: string;
  norm: string;
  /** Channels in and out. */
  inputs: number;
  outputs: number;
  /** Pixels per side of a window, and from one to the next; zeros keep the size. */
  side: 1 | 3 | 7;
  stride: 1 | 2;
}

/** The first convolution. */
export function stemOf({ width, inChans }: Required<ResNetConfig>): ConvSpec {
  return { conv: "conv1", norm: "bn1", inputs: inChans, outputs: width, side: 7, stride: 2 };
}

/** Output channels of a block over those of its 3 × 3 convolution. */
export function expansionOf({ layers }: Pick<ResNetConfig, "layers">): number {
  return RESNETS[layers].bottleneck ? 4 : 1;
}

/** All blocks, in order. */
export function blocksOf(config: Required<ResNetConfig>): ResNetBlock[] {
  const { blocks, bottleneck } = RESNETS[config.layers];
  const expansion = expansionOf(config);
  let inputs = config.width;
  return blocks.flatMap((count, stage) =>
    Array.from({ length: count }, (_, i): ResNetBlock => {
      const name = `layer${stage + 1}.${i}`, planes = config.width * 2 ** stage;
      const stride = stage > 0 && i === 0 ? 2 : 1, outputs = planes * expansion;
      const conv = (n: number, inputs: number, outputs: number, side: 1 | 3, stride: 1 | 2 = 1) => {
        return { conv: `${name}.conv${n}`, norm: `${name}.bn${n}`, inputs, outputs, side, stride };
      };
      // The stride is that of the 3 × 3 convolution, as in torchvision, not of the first one, as in the paper.
      const convs = bottleneck
        ? [
          conv(1, inputs, planes, 1),
          conv(2, planes, planes, 3, stride),
          conv(3, planes, outputs, 1),
        ]
        : [conv(1, inputs, planes, 3, stride), conv(2, planes, planes, 3)];
      const downsample: ConvSpec | undefined = stride > 1 || inputs !== outputs
        ? {
          ...{ conv: `${name}.downsample.0`, norm: `${name}.downsample.1` },
          ...{ inputs, outputs, side: 1, stride },
        }
        : undefined;
      inputs = outputs;
      return { name, convs, downsample };
    })
  );
}

/** All convolutions, in the order of torchvision's parameters. */
export function convsOf(config: Required<ResNetConfig>): ConvSpec[] {
  const blocks = blocksOf(config).flatMap(({ convs, downsample }) => [
    ...convs,
    ...downsample ? [downsample] : [],
  ]);
  return [stemOf(config), ...blocks];
}

/** Numbers that it learns, running statistics included. */
export function resnetParameters(config: Required<ResNetConfig>): number {
  return convsOf(config).reduce(
    (sum, { inputs, outputs, side }) => sum + outputs * (inputs * side * side + 4),
    0,
  );
}

/** Multiplications and additions of the convolutions for one picture, forwards. */
export function resnetFlops(config: Required<ResNetConfig>): number {
  const halved = (pixels: number) => Math.ceil(pixels / 2);
  const flops = ({ inputs, outputs, side }: ConvSpec, pixels: number) =>
    2 * inputs * outputs * side * side * pixels * pixels;
  let pixels = halved(config.imageSize);
  let sum = flops(stemOf(config), pixels);
  pixels = halved(pixels);
  for (const { convs, downsample } of blocksOf(config)) {
    for (const conv of convs) {
      if (conv.stride === 2) pixels = halved(pixels);
      sum += flops(conv, pixels);
    }
    if (downsample) sum += flops(downsample, pixels);
  }
  return sum;
}
