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
      return [...(await downloadByName(gpu, params, params.grads)).values()].map(logNorm);
    },
    destroy: () => [program, params, images, dy, stats].forEach((x) => x?.destroy()),
  });
}

/** The norm of a gradient as a logarithm, so that each counts beside the largest. */
function logNorm(gradient: Float32Array): number {
  const squares = gradient.reduce((sum, g) => sum + g * g, 0);
  return Math.log(Math.sqrt(squares) + 1e-12);
}
