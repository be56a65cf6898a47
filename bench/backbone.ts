/**
 * A backbone by itself as one of this project's jobs.
 *
 * @module
 */
import { type Gpu, record } from "../lib/gpu.ts";
import { initialize, Parameters, RunningStats } from "../lib/model.ts";
import { downloadByName } from "../lib/model/parameters.ts";
import { queued, SAMPLES, type Subject } from "./contender.ts";
import { type BackboneJob, CROP_SCALE, SEED } from "./jobs.ts";
import { backboneOf } from "./model.ts";
import { values } from "./values.ts";

/** A recorded pass, ready to be run. */
export async function prepareBackbone(
  gpu: Gpu,
  { model, batch, grad }: BackboneJob,
  waitMs: number,
): Promise<Subject> {
  const backbone = backboneOf(model), { imageSize, inChans, dim } = backbone;
  const params = new Parameters(gpu, backbone.specs(), { grad });
  params.load(initialize(backbone.specs(), 0));
  const input = (shape: number[], seed: number, scale?: number) =>
    gpu.tensor(values(shape.reduce((a, b) => a * b, 1), seed, scale), shape);
  const images = input([batch, inChans, imageSize, imageSize], SEED.a, CROP_SCALE);
  const dy = input([batch, dim], SEED.d);
  const stats = grad ? RunningStats.of(gpu, params) : undefined;
  const program = await record(gpu, () => {
    params.zeroGrad();
    stats?.begin();
    const { y, backward } = backbone.forward(gpu, params, [images], { stats });
    stats?.commit();
    if (grad) backward(dy);
    return { y };
  });
  return queued(() => gpu.idle(), waitMs, () => program.run(), {
    per: 1,
    flops: program.flops,
    async sample() {
      program.run();
      if (!grad) return [...(await program.outputs.y.read()).subarray(0, SAMPLES)];
      return gradientNorms(params, await downloadByName(gpu, params, params.grads));
    },
    destroy: () => [program, params, images, dy, stats].forEach((x) => x?.destroy()),
  });
}

/**
 * The norm of every matrix's gradient, and that of all vectors' together, whose own are sums that cancel: in float32
 * they differ from those in float64 by up to 1 % in a ResNet-50. Logarithms, so that each counts beside the largest.
 */
function gradientNorms(params: Parameters, gradients: ReadonlyMap<string, Float32Array>): number[] {
  const norms: number[] = [];
  let vectors = 0;
  for (const [name, gradient] of gradients) {
    const squares = gradient.reduce((sum, g) => sum + g * g, 0);
    if (params.get(name).spec.shape.length > 1) norms.push(Math.sqrt(squares));
    else vectors += squares;
  }
  return [...norms, Math.sqrt(vectors)].map((norm) => Math.log(norm + 1e-12));
}
