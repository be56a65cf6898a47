/**
 * What has to be proven: the dispatches of a configuration's step as this machine would run them, and those of odd
 * shapes, by every kernel that may be chosen here.
 *
 * @module
 */
import { type Config, parseConfig } from "../config.ts";
import { applyOps } from "../augmentation.ts";
import "../eval.ts"; // defines the kernels that only evaluations use
import { featureEncoder } from "../eval/feature_encoder.ts";
import { feedOptionsOf, modelOf, readoutOf, trainerOptionsOf } from "../from_config.ts";
import { definedKernels } from "../gpu/kernel.ts";
import { HASH, LANES } from "../gpu/recheck.ts";
import { type Gpu, grid, record, type TuningTask } from "../gpu.ts";
import { Parameters } from "../model.ts";
import { attention, matmul, type MatmulOptions, tuningTasks } from "../ops.ts";
import { conv2d } from "../ops/conv2d.ts";
import { gelu } from "../ops/gelu.ts";
import { gatherRows, scatterRows } from "../ops/gather_rows.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import { PRECISION } from "../ops/precision_task.ts";
import { rowSum } from "../ops/reduce.ts";
import { softmax } from "../ops/softmax.ts";
import { noise } from "../plan/noise.ts";
import { Trainer } from "../train.ts";
import { Feed } from "../train/feed.ts";
import { type Capture, CaptureGpu, keyOf, pipelineOf } from "./capture.ts";
import { bytesOf } from "./run.ts";
import { waysOf } from "./ways.ts";

/**
 * Every way of choosing: with all first candidates, with all second ones, and so on; each with activations of f32, and
 * as halves.
 */
export function profiles(
  tasks: readonly TuningTask[],
): ReadonlyMap<string, string>[] {
  const kernels = tasks.filter(({ name }) => name !== PRECISION);
  const precisions = tasks.find(({ name }) => name === PRECISION)?.candidates ?? ["f32"];
  const most = Math.max(...kernels.map(({ candidates }) => candidates.length));
  return precisions.flatMap((precision) =>
    Array.from({ length: most }, (_, i) =>
      new Map([
        ...kernels.map((t): [string, string] => [t.name, t.candidates[i % t.candidates.length]]),
        [PRECISION, precision],
      ]))
  );
}

/** The dispatches of a step of a configuration, and of a batch of its evaluation, with the GPU's choices. */
export async function captureConfig(
  gpu: Gpu,
  config: Config,
  choices: ReadonlyMap<string, string> = gpu.choices,
): Promise<Capture[]> {
  const dry = new CaptureGpu(gpu, choices);
  const sizes = { largestPixels: Math.min(config.data.max_pixels, 2 ** 16) };
  const trainer = new Trainer(dry, modelOf(config), trainerOptionsOf(config, dry));
  const feed = new Feed(dry, noise(config, sizes), feedOptionsOf(config));
  await record(dry, () => trainer.microStep(feed.views(), feed.masks));
  await record(dry, () => trainer.update());
  const { backbone } = modelOf(config);
  const params = new Parameters(dry, backbone.specs());
  const encoder = featureEncoder(dry, "teacher", backbone, params, readoutOf(config));
  const { in_chans: channels } = config.model, side = encoder.size;
  const batch = Math.min(config.evaluation.batch_size, 64);
  const pixels = dry.persistent([batch * side * side * Math.ceil(channels / 3)], "pixels");
  const table = dry.persistent([batch, 4], "table");
  const ops = [{
    op: "resized_crop" as const,
    top: 0,
    left: 0,
    height: side,
    width: side,
    size: side,
  }];
  const views = Array.from({ length: batch }, () => ({ width: side, height: side, ops }));
  await record(dry, () => {
    encoder.encode(applyOps(dry, pixels, table, views, channels));
  });
  return [...dry.captures.values()];
}

/** Sizes of products: odd ones, whole vec4s, long sums that are split, one row, one column. */
const PRODUCTS: readonly [m: number, k: number, n: number][] = [
  [65, 127, 33],
  [100, 68, 132],
  [17, 1100, 12],
  [1, 5, 1],
  [130, 3, 67],
];

/** Products by every variant, with every epilogue. */
function products(gpu: CaptureGpu): void {
  const make = (...shape: number[]) => gpu.persistent(shape);
  for (const [m, k, n] of PRODUCTS) {
    for (const [transA, transB] of [[false, false], [false, true], [true, false]]) {
      const a = transA ? make(k, m) : make(m, k), b = transB ? make(n, k) : make(k, n);
      const full = () => make(m, n);
      const epilogues: MatmulOptions[] = [
        {},
        { accumulate: true, out: full() },
        { bias: make(n), geluPre: full() },
        { bias: make(n), gelu: true },
        { bias: make(n), add: full() },
        { geluGradOf: full() },
      ];
      for (const options of epilogues) matmul(gpu, a, b, { transA, transB, ...options });
      matmul(gpu, a, b, { transA, transB, splits: 3, bias: make(n), geluPre: full() });
      matmul(gpu, a, b, { transA, transB, variant: "naive" });
    }
  }
}

/** Attention of odd numbers of tokens and sizes of heads, its map, and its backward pass. */
function attentions(gpu: CaptureGpu): void {
  for (
    const [batch, tokens, heads, size] of [[2, 17, 3, 7], [3, 5, 2, 32], [1, 70, 1, 64], [
      2,
      33,
      2,
      100,
    ], [1, 1, 1, 4]]
  ) {
    const dim = heads * size;
    const { y, map, backward } = attention(gpu, gpu.persistent([batch, tokens, 3 * dim]), heads);
    map(Math.min(3, tokens));
    backward(y);
  }
}

/** What only evaluations call, rows of more columns than a lane walks alone, and single numbers. */
function others(gpu: CaptureGpu): void {
  const kernel = (name: string) => definedKernels().find((source) => source.name === name)!;
  for (const [rows, columns] of [[5, 37], [67, 128], [3, 1030], [2, 4100]]) {
    const x = gpu.persistent([rows, columns]);
    softmax(gpu, x).backward(x);
    l2Normalize(gpu, x).backward(x);
    rowSum(gpu, x, { scale: 0.5 });
  }
  const rough = gpu.persistent([7, 11]);
  gelu(gpu, rough).backward(rough);
  for (const channels of [3, 8]) {
    // Of three channels, which are no whole vec4s.
    const x = gpu.persistent([2, 9, 7, channels]), of = gpu.persistent([5, channels, 3, 3]);
    const weight = { data: of, grad: gpu.persistent(of.shape) };
    const { y, backward } = conv2d(gpu, x, weight, { stride: 2, padding: 1 });
    backward(y);
  }
  const [rows, classes] = [19, 7];
  gpu.dispatch(kernel("class_gradient"), {
    bindings: {
      p: gpu.persistent([rows, classes]),
      labels: gpu.persistent([rows]),
      weights: gpu.persistent([rows]),
      out: gpu.persistent([rows, classes]),
    },
    params: { rows, classes },
    workgroups: grid(rows * classes, 64),
  });
  for (const n of [5, 1000, 70_000]) {
    gpu.dispatch(HASH, {
      bindings: { x: gpu.persistent([n]), out: gpu.persistent([2, LANES]) },
      params: { n, samples: 2 ** 16, at: LANES },
      workgroups: [LANES / 64],
    });
  }
  for (const width of [6, 8]) {
    const table = gpu.persistent([23, width]), index = gpu.persistent([11]);
    const out = gatherRows(gpu, table, index);
    scatterRows(gpu, out, index, table);
  }
}

/** What the small configurations have in common. */
const DRAFT = `
data: {batch_size: 3, max_pixels: 400}
augmentation: {global_crop_size: 12, local_crop_size: 8, num_local_views: 2}
model:
  {patch_size: 4, projection_hidden_dim: 40, projection_bottleneck_dim: 12, projection_output_dim: 72}
loss: {contrastive_feature: class}
scheduler: {warmup_epochs: 0}
training: {num_epochs: 3}
evaluation: {batch_size: 3}
`;

const VIT =
  "model.backbone=custom model.dim=36 model.heads=3 model.depth=2 model.drop_path_rate=0.2 ";

/** Small configurations of odd sizes, over that, which together have every part that a step may have. */
const ODD: readonly string[] = [
  VIT,
  VIT + "model.dim=21 model.registers=1 model.layer_scale=0.1 model.feature=class+mean " +
  "loss.centering=sinkhorn_knopp loss.koleo_weight=0.1 optimizer.optimizer=adam",
  VIT + "model.dim=48 model.heads=2 model.mlp=swiglu model.pos_embed=rope model.layer_scale=0.1 " +
  "model.norm_last_layer=false loss.contrastive_weight=1 loss.contrastive_feature=quad " +
  "loss.contrastive_temp_learned=true loss.chunk_size=64 training.gradient_accumulation_steps=2 " +
  "training.gradient_clip_mode=global_norm",
  VIT + "model.registers=2 loss.ibot_weight=1 loss.ibot_separate_head=true loss.gram_weight=1 " +
  "loss.gram_refresh_epochs=1 loss.koleo_weight=0.1 loss.chunk_size=64 optimizer.optimizer=sgd",
  VIT + "model.dim=20 model.heads=1 model.mlp=swiglu model.mlp_hidden_dim=26 model.feature=mean " +
  "model.in_chans=1 loss.objective=infonce loss.contrastive_feature=mean optimizer.optimizer=sgd " +
  "optimizer.nesterov=true augmentation.n_global_crops=3",
  VIT + "loss.ibot_weight=1 loss.centering=sinkhorn_knopp augmentation.n_global_crops=4 " +
  "loss.gram_weight=1 loss.gram_refresh_epochs=1 augmentation.local_crop_size=12",
  "model.backbone=resnet18 augmentation.global_crop_size=33 augmentation.local_crop_size=32",
];

function oddConfig(text: string): Config {
  const overrides = text.split(" ").filter(Boolean).map((one) => {
    const [key, value] = one.split("=");
    return { key, value };
  });
  return parseConfig(DRAFT, { file: "a configuration of lib/prove/survey.ts", overrides });
}

/** Bytes of an odd dispatch at most: shapes are small, but a ResNet's weights are not. */
const ODD_BYTES = 2 ** 25;

/**
 * Dispatches of odd shapes, by every kernel that may be chosen on this machine.
 *
 * @param each So many of a kernel with the same constants, at most.
 */
export async function captureOdd(gpu: Gpu, each: number): Promise<Capture[]> {
  const configs = ODD.map(oddConfig);
  const all: Capture[] = [];
  // A CPU has halves where a configuration asks for them alone, and that is proven by itself.
  const tasks = tuningTasks(gpu).filter(({ name }) => name !== PRECISION || !gpu.isSoftware);
  for (const choices of [new Map(), ...profiles(tasks)]) {
    const dry = new CaptureGpu(gpu, choices);
    for (const part of [products, attentions, others]) await record(dry, () => part(dry));
    all.push(...dry.captures.values());
    for (const config of configs) all.push(...await captureConfig(gpu, config, choices));
  }
  const small = all.filter((capture) => bytesOf(capture, 1) <= ODD_BYTES);
  return some(gpu.isSoftware ? few(small) : small, each);
}

/** Dispatches of odd shapes as they are chosen now: those of a small transformer's step. */
export async function captureUsual(gpu: Gpu): Promise<Capture[]> {
  return some(await captureConfig(gpu, oddConfig(ODD[0])), 1);
}

/** Pipelines of a kernel on software adapters, which take long to compile one. */
const PIPELINES = 4;

/** Of each kernel some pipelines, and one at least for every way of doing its work. */
function few(captures: readonly Capture[]): Capture[] {
  const known = new Map<string, Set<string>>(), ways = new Set<string>();
  return captures.filter((capture) => {
    const { name } = capture.source, pipeline = pipelineOf(capture);
    const pipelines = known.get(name) ?? new Set();
    known.set(name, pipelines);
    const way = `${name} ${waysOf(capture).map(({ way }) => way)}`;
    if (!pipelines.has(pipeline) && pipelines.size >= PIPELINES && ways.has(way)) return false;
    pipelines.add(pipeline);
    ways.add(way);
    return true;
  });
}

/** Each dispatch once, and no more than `most` of a pipeline. */
export function some(captures: readonly Capture[], most = Infinity): Capture[] {
  const keys = new Set<string>(), counts = new Map<string, number>();
  return captures.filter((capture) => {
    const key = keyOf(capture), pipeline = pipelineOf(capture);
    const count = counts.get(pipeline) ?? 0;
    if (keys.has(key) || count >= most) return false;
    keys.add(key);
    counts.set(pipeline, count + 1);
    return true;
  });
}
