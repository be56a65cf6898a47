/**
 * What the adapter itself can do: arithmetic in registers, and copying in a shader.
 *
 * @module
 */
import copyCode from "./kernels/copy.wgsl" with { type: "text" };
import peakCode from "./kernels/peak.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, record } from "../lib/gpu.ts";
import { emptyWait, queued } from "./contender.ts";
import { compare } from "./timing.ts";

const PEAK = defineKernel("peak", peakCode);
const COPY = defineKernel("copy", copyCode);

/** Invocations, and turns of the loop in each. */
const INVOCATIONS = 1 << 16, TURNS = 256;

/** vec4s that are copied: 16 MiB. */
const VECTORS = 1 << 20;

const FORMS = [
  { PER: 1, STRIDED: false },
  { PER: 4, STRIDED: false },
  { PER: 8, STRIDED: false },
  { PER: 4, STRIDED: true },
];

/** The limits that were measured. */
export interface Limits {
  /** Arithmetic in 10⁹ operations per second; a · x + y counts two. */
  gflops: number;
  /** Best copy in 10⁹ bytes per second, read and written together. */
  gbs: number;
}

/** Measures both. */
export async function measureLimits(gpu: Gpu, repeats: number): Promise<Limits> {
  const waitMs = await emptyWait(() => gpu.idle());
  const out = gpu.persistent([INVOCATIONS]);
  const [source, target] = [gpu.persistent([4 * VECTORS]), gpu.persistent([4 * VECTORS])];
  const dispatches = [
    () =>
      gpu.dispatch(PEAK, {
        bindings: { out },
        params: { turns: TURNS, x: 0.999, y: 0.001 },
        workgroups: grid(INVOCATIONS, 64),
      }),
    ...FORMS.map((constants) => () =>
      gpu.dispatch(COPY, {
        constants,
        bindings: { source, out: target },
        params: { n: VECTORS },
        workgroups: grid(VECTORS / constants.PER, 64),
      })
    ),
  ];
  const programs = await Array.fromAsync(dispatches, (dispatch) => record(gpu, dispatch));
  const subjects = programs.map((program) =>
    queued(() => gpu.idle(), waitMs, () => program.run(), {
      per: 1,
      sample: () => Promise.resolve([]),
      destroy: () => program.destroy(),
    })
  );
  for (const subject of subjects) await subject.run(1);
  const [peak, ...copies] = await compare(subjects, repeats);
  for (const x of [...subjects, out, source, target]) x.destroy();
  return {
    gflops: INVOCATIONS * TURNS * 2 * 24 * 4 / peak.ms / 1e6,
    gbs: 2 * 16 * VECTORS / Math.min(...copies.map(({ ms }) => ms)) / 1e6,
  };
}
