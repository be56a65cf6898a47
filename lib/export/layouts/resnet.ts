/**
 * ResNets: the names of timm and facebookresearch/dino are torchvision's, which are ours; Hugging Face's are not.
 *
 * @module
 */
import type { NameTable } from "../../io/names/pairs.ts";
import {
  blocksOf,
  expansionOf,
  type ResNetConfig,
  RESNETS,
  stemOf,
} from "../../model/resnet_shape.ts";
import { type Layout, refuse, rename, type Tensors } from "./layout.ts";

/** torchvision's and timm's width of the first stage. */
const WIDTH = 64;

/** A ResNet in a layout. */
export function resnetLayout(
  names: "timm" | "hf" | "fb",
  tensors: Tensors,
  config: Required<ResNetConfig>,
): Layout {
  if (names === "hf") return huggingFace(tensors, config);
  const { layers, width, inChans } = config, layout = names === "timm" ? "timm" : "torchvision";
  if (width !== WIDTH) refuse(layout, `a first stage of ${width} channels, not ${WIDTH}`);
  const counters = countersOf(tensors);
  const load = [
    "from safetensors.torch import load_file",
    'model.load_state_dict(load_file("FOLDER/model.safetensors"), strict=True)',
  ];
  if (names === "timm") {
    const args = inChans === 3 ? {} : { in_chans: inChans };
    const more = inChans === 3 ? "" : `, in_chans=${inChans}`;
    const model = `timm.create_model("resnet${layers}", num_classes=0${more})`;
    return {
      model,
      load: ["import timm", load[0], `model = ${model}`, load[1]].join("\n"),
      tensors,
      counters,
      config: {
        architecture: `resnet${layers}`,
        num_features: channelsOf(config),
        model_args: args,
      },
      notes: [],
    };
  }
  if (inChans !== 3) refuse(layout, `pictures of ${inChans} channels`);
  const model = `torchvision.models.resnet${layers}() with fc = torch.nn.Identity()`;
  const build = [
    "import torch, torchvision",
    load[0],
    `model = torchvision.models.resnet${layers}()`,
    "model.fc = torch.nn.Identity()",
  ];
  return { model, load: [...build, load[1]].join("\n"), tensors, counters, notes: [] };
}

/** What else every batch norm of PyTorch stores. */
function countersOf(tensors: Tensors): string[] {
  return [...tensors.keys()].filter((name) => name.endsWith(".running_mean"))
    .map((name) => name.replace(/running_mean$/, "num_batches_tracked"));
}

/** Channels of the last map. */
function channelsOf(config: Required<ResNetConfig>): number {
  return 8 * config.width * expansionOf(config);
}

/** `ResNetModel`, of any width. */
function huggingFace(tensors: Tensors, config: Required<ResNetConfig>): Layout {
  const table = huggingFaceNames(config), { layers, width, inChans } = config;
  const { blocks, bottleneck } = RESNETS[layers];
  const renamed = rename(tensors, table, "ResNetModel");
  return {
    model: "transformers' ResNetModel",
    load: [
      "from transformers import AutoImageProcessor, ResNetModel",
      'model = ResNetModel.from_pretrained("FOLDER")',
      'processor = AutoImageProcessor.from_pretrained("FOLDER")',
    ].join("\n"),
    tensors: renamed,
    counters: countersOf(renamed),
    config: {
      architectures: ["ResNetModel"],
      model_type: "resnet",
      num_channels: inChans,
      embedding_size: width,
      hidden_sizes: blocks.map((_, stage) => width * 2 ** stage * expansionOf(config)),
      depths: blocks,
      layer_type: bottleneck ? "bottleneck" : "basic",
      hidden_act: "relu",
      downsample_in_first_stage: false,
      downsample_in_bottleneck: false,
    },
    notes: [],
  };
}

/** A row for every convolution and batch norm. */
function huggingFaceNames(config: Required<ResNetConfig>): NameTable {
  const pair = ({ conv, norm }: { conv: string; norm: string }, place: string): NameTable => [
    [`${conv}.`, `${place}.convolution.`],
    [`${norm}.`, `${place}.normalization.`],
  ];
  return [
    ...pair(stemOf(config), "embedder.embedder"),
    ...blocksOf(config).flatMap(({ name, convs, downsample }) => {
      const place = name.replace(/^layer(\d+)\.(\d+)$/, (_, stage, i) => {
        return `encoder.stages.${Number(stage) - 1}.layers.${i}`;
      });
      return [
        ...convs.flatMap((conv, i) => pair(conv, `${place}.layer.${i}`)),
        ...downsample ? pair(downsample, `${place}.shortcut`) : [],
      ];
    }),
  ];
}
