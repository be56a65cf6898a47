/**
 * Features for an evaluation of a run, by its teacher and what it is measured beside. All ranks do it together.
 *
 * @module
 */
import type { Comm } from "../../lib/comm.ts";
import { allOrNone } from "../../lib/comm/all_or_none.ts";
import { DeviceError, HatchlingError } from "../../lib/errors.ts";
import { type Encoder, pixelEncoder } from "../../lib/eval/encoder.ts";
import { featureEncoder } from "../../lib/eval/feature_encoder.ts";
import { encoderName } from "../../lib/eval/readout.ts";
import { encodeSides, type Sides } from "../../lib/eval/sides.ts";
import { networkOf, readoutOf } from "../../lib/from_config.ts";
import { evaluationOptionsOf } from "../../lib/from_config/evaluation.ts";
import { initialize, Parameters } from "../../lib/model.ts";
import type { Run } from "./run.ts";

/** What every rank has of a run. */
export type Encoding = Pick<
  Run,
  "config" | "gpu" | "guard" | "model" | "pictures" | "progress" | "trainer"
>;

/** What is to be encoded. */
export interface EncodingRequest {
  /** Also by the same model before training, and as pixels. */
  beside: boolean;
  /** The run goes on with training, and so ends this when it is asked to stop. */
  midway: boolean;
}

/** Features by one encoder. */
export interface Encoded {
  /** Its name in tables. */
  name: string;
  /** Whether it is the model before training. */
  untrained: boolean;
  /** The pictures that are judged, and those that they are judged by. */
  sides: Sides;
}

/** Asked to stop while it encoded. */
export class Stopped extends Error {}

/**
 * Encodes the pictures of a run, each rank a share of them.
 *
 * @returns On rank 0 the features by every encoder, the teacher first; elsewhere none.
 * @throws {HatchlingError} On rank 0 when any rank fails; on another one only where its device is in trouble, as rank 0
 * tells the rest.
 * @throws {Stopped} On rank 0.
 */
export async function encodeRun(
  run: Encoding,
  { beside, midway }: EncodingRequest,
  comm?: Comm,
): Promise<Encoded[]> {
  const { config, gpu, guard, pictures, progress } = run;
  using open = new DisposableStack();
  try {
    const { encoders, test } = await allOrNone(comm, async () => ({
      encoders: encodersOf(run, beside, open),
      test: await pictures.testOf(config),
    }));
    const all = encoders.map(({ encoder }) => encoder);
    const sides = await encodeSides(gpu, pictures.dataset, all, {
      ...evaluationOptionsOf(config),
      test,
      comm,
      onProgress: (done) => {
        if (midway && guard.stop) throw new Stopped("asked to stop");
        progress.show(`evaluating: ${done} pictures`);
      },
    });
    return sides.map((sides, e) => {
      const { encoder: { name }, untrained } = encoders[e];
      return { name, untrained, sides };
    });
  } catch (error) {
    if (!comm?.rank || !(error instanceof HatchlingError) || error instanceof DeviceError) {
      throw error;
    }
    return [];
  }
}

/** The same on all ranks, in the same order. */
function encodersOf(
  { config, gpu, model, trainer }: Encoding,
  beside: boolean,
  open: DisposableStack,
): { encoder: Encoder; untrained: boolean }[] {
  const readout = readoutOf(config);
  const encoderOf = (network: string, weights: Parameters) =>
    featureEncoder(gpu, encoderName(network, readout), model.backbone, weights, readout);
  const teacher = { encoder: encoderOf(networkOf(config), trainer.evaluated), untrained: false };
  if (!beside) return [teacher];
  const initial = new Parameters(gpu, model.specs());
  open.defer(() => initial.destroy());
  initial.load(initialize(model.specs(), config.training.seed));
  return [
    teacher,
    { encoder: encoderOf("random init", initial), untrained: true },
    { encoder: pixelEncoder(config.model.in_chans), untrained: false },
  ];
}
