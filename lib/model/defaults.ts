/**
 * What a network has where nothing else is said: DINO's. By themselves, so that a configuration takes them from here
 * without a GPU's code.
 *
 * @module
 */

/** Ways to resample a position embedding: see `PosInterp`. */
export const POS_INTERPS = ["offset", "size", "antialias", "offset_antialias"] as const;

/** Of `ViTConfig`. */
export const VIT_DEFAULTS = {
  mlpRatio: 4,
  inChans: 3,
  registers: 0,
  layerScale: null,
  mlp: "gelu",
  posEmbed: "learned",
  ropeBase: 100,
  qkvBias: "all",
  classToken: true,
  fcNorm: false,
  normEps: 1e-6,
  posInterp: "offset",
  initStd: 0.02,
} as const;

/** Of `ResNetConfig`. */
export const RESNET_DEFAULTS = {
  width: 64,
  inChans: 3,
} as const;

/** Of `DinoHeadConfig`. */
export const HEAD_DEFAULTS = {
  hiddenDim: 2048,
  bottleneckDim: 256,
  layers: 3,
  useWeightNorm: true,
  normLastLayer: true,
  initStd: 0.02,
} as const;

/** Of `ContrastiveHeadConfig`: what was measured best on small pictures, see docs/results.md. */
export const CONTRASTIVE_DEFAULTS = {
  hiddenDim: 256,
  outDim: 64,
  layers: 3,
} as const;
