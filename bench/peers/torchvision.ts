/**
 * torchvision's DataLoader with DINO's augmentation by PIL, in processes of its own.
 *
 * @module
 */
import type { Subject } from "../contender.ts";
import { startPython } from "./python.ts";

/** Sizes of the views of a picture; two are global. */
export interface CropSizes {
  globalSize: number;
  localSize: number;
  locals: number;
}

/** What a DataLoader does. */
export type LoaderJob =
  & { batch: number; workers: number }
  & (
    /** Crops of raw RGB pictures of one size, one after the other in a file, which are kept in memory. */
    | {
      kind: "crops";
      file: string;
      count: number;
      width: number;
      height: number;
      crops: CropSizes;
    }
    /** Decodes the files of a folder and makes crops of them. */
    | { kind: "folder"; folder: string; crops: CropSizes }
    /** Decodes files of one size. */
    | { kind: "decode"; folder: string }
  );

/** The peer. */
export interface Torchvision {
  /** Versions in words. */
  readonly version: string;
  /** Cores that it may use. */
  readonly cores: number;
  /** Starts the workers of a job, which ends those of the job before; an operation is a batch. */
  prepare(job: LoaderJob): Promise<Subject>;
  /** Ends it. */
  close(): Promise<void>;
}

/** Starts it; fails where no Python has torchvision. */
export async function openTorchvision(): Promise<Torchvision> {
  const { server, hello } = await startPython<Pick<Torchvision, "version" | "cores">>(
    "torchvision_server.py",
    "no Python has torchvision: apt-get install python3-torchvision python3-pil python3-numpy",
  );
  return {
    ...hello,
    prepare: async (job) => {
      const { views } = await server.ask<{ views: number[][] }>({ op: "prepare", job });
      const expected = shapesOf(job);
      if (expected && JSON.stringify(views) !== JSON.stringify(expected)) {
        throw new Error(`torchvision makes views ${JSON.stringify(views)}, not of ${job.kind}`);
      }
      return {
        per: Math.max(1, job.workers),
        run: async (n) => (await server.ask<{ ms: number }>({ op: "run", n })).ms,
        sample: () => Promise.resolve([]),
        destroy: () => {},
      };
    },
    close: () => server.close(),
  };
}

/** Shapes of the views of one batch, globals first. */
function shapesOf(job: LoaderJob): number[][] | undefined {
  if (job.kind === "decode") return;
  const { globalSize, localSize, locals } = job.crops;
  const shape = (size: number) => [job.batch, 3, size, size];
  return [
    ...[0, 1].map(() => shape(globalSize)),
    ...Array.from({ length: locals }, () => shape(localSize)),
  ];
}
