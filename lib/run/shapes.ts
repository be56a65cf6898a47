/**
 * What the small files of a run may hold: whatever else is in them is left out, or makes them damaged.
 *
 * @module
 */
import { z } from "./deps.ts";
import type { AugmentedSample, NeighborSample } from "./left.ts";
import { isPngUri } from "./png.ts";

/** Of one file: starts of a run, ranks of one, figures, encoders, figures of an evaluation meanwhile. */
const PARTS = 10_000, RANKS = 4096, FIGURES = 2000, ENCODERS = 24, MEANWHILE = 500;

const step = z.int().min(0);
const word = z.string().optional();
const number = z.number().nullish().transform((value) => value ?? undefined);

/** run.json: every start, each to be looked at by itself. */
export const recordShape = z.object({ parts: z.array(z.unknown()).max(PARTS) });

/** A start of the run. */
export const partShape = z.object({
  started: word,
  command: z.array(z.string()).max(1000).optional(),
  folder: word,
  step: step.optional(),
  code: z.object({ version: z.string(), commit: word }).optional(),
  deno: word,
  system: word,
  adapter: z.object({
    description: word,
    software: z.boolean().optional(),
    limits: z.record(z.string(), z.number()).optional(),
  }).optional(),
  data: z.object({ name: word, pictures: step.optional(), fingerprint: word }).optional(),
  ranks: z.array(z.object({ host: z.string(), adapter: word })).max(RANKS).optional(),
});

/** A start of the run, as far as it is known. */
export type StartedPart = z.infer<typeof partShape>;

const measured = { metric: z.string(), percent: number, value: number };

/** evaluation.json. */
export const figuresShape = z.array(
  z.object({ group: z.string().default(""), encoder: z.string(), ...measured }),
).max(FIGURES).refine((list) => new Set(list.map((f) => f.encoder)).size <= ENCODERS);

/** A line of evaluations.jsonl. */
export const evaluationShape = z.object({
  step,
  figures: z.array(z.object({ encoder: word, ...measured })).max(MEANWHILE),
  baselines: z.array(z.object({ encoder: z.string(), ...measured })).max(MEANWHILE).optional(),
});

/** A line of skipped.jsonl. */
export const skippedShape = z.object({ file: z.string(), reason: z.string().default("") });

/** non-finite-<step>.json. */
export const nonFiniteShape = z.object({ what: z.string() });

const image = z.string().refine(isPngUri);
const words = z.array(z.string()).max(64);
const pixels = z.number().min(1).max(1e6);

/** augmentation.json. */
export const augmentationShape: z.ZodType<AugmentedSample[]> = z.array(z.object({
  id: z.string(),
  width: pixels,
  height: pixels,
  image,
  views: z.array(z.object({
    label: z.string(),
    words,
    tags: words,
    local: z.boolean(),
    size: pixels,
    box: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    image,
  })).max(256),
})).max(64);

const shown = z.object({ id: z.string(), facts: words, image, similarity: z.number().optional() });

/** neighbors.json. */
export const neighborsShape: z.ZodType<NeighborSample> = z.object({
  pictures: step,
  readout: word,
  step: step.optional(),
  rows: z.array(z.object({ query: shown, neighbors: z.array(shown).max(64) })).max(64),
});
