/**
 * What a run leaves in its folder for its report: attention over time, and pictures with words.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../../lib/io/files.ts";

/** Attention on fixed pictures after some steps. */
export interface Snapshot {
  /** Steps done. */
  step: number;
  /** Path of the PNG: the pictures from top to bottom. */
  path: string;
}

/** A view of a picture. */
export interface SampleView {
  /** "G1", "L3". */
  label: string;
  /** What was done, in words. */
  words: string[];
  /** What was done, at a glance. */
  tags: string[];
  /** Whether it is a local view. */
  local: boolean;
  /** Side in pixels as training sees it. */
  size: number;
  /** Where it was cut: left, top, width, height in pixels of the picture. */
  box: [number, number, number, number];
  /** A data URI. */
  image: string;
}

/** A picture with its views. */
export interface AugmentedSample {
  /** Name of the picture. */
  id: string;
  /** Its size as training sees it. */
  width: number;
  height: number;
  /** A data URI. */
  image: string;
  views: SampleView[];
}

/** A picture with its words. */
export interface ShownNeighbor {
  id: string;
  /** Labels, in words. */
  facts: string[];
  /** A data URI. */
  image: string;
  /** Cosine similarity to the query. */
  similarity?: number;
}

/** Queries with their nearest neighbours. */
export interface NeighborSample {
  /** Pictures that were searched. */
  pictures: number;
  /** Steps done. */
  step?: number;
  rows: { query: ShownNeighbor; neighbors: ShownNeighbor[] }[];
}

/** Pictures for the report. */
export interface Samples {
  augmentation?: AugmentedSample[];
  neighbors?: NeighborSample;
}

/** Files of a run's folder. */
export const SAMPLE_FILES = { augmentation: "augmentation.json", neighbors: "neighbors.json" };

/** Folder of the snapshots, below the run's. */
export const SNAPSHOT_FOLDER = "attention";

/** The pictures that snapshots are of, and every head's attention on them at the end; below that folder. */
export const SNAPSHOT_PICTURES = "pictures.png", SNAPSHOT_HEADS = "heads.png";

/** Name of the snapshot after so many steps. */
export function snapshotName(step: number): string {
  return `step-${String(step).padStart(8, "0")}.png`;
}

/** The snapshots of a run by rising step; none where there is no such folder. */
export async function listSnapshots(run: string): Promise<Snapshot[]> {
  const folder = join(run, SNAPSHOT_FOLDER), found: Snapshot[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      const step = isFile && name.match(/^step-(\d{8,15})\.png$/)?.[1];
      if (step) found.push({ step: Number(step), path: join(folder, name) });
    }
  } catch {
    // a run that drew none
  }
  return found.sort((a, b) => a.step - b.step);
}

/** The pictures that a run has left. */
export async function readSamples(run: string, notes: string[]): Promise<Samples> {
  const read = async (name: string): Promise<unknown> => {
    const path = join(run, name);
    let text: string;
    try {
      text = await Deno.readTextFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      return void notes.push(fileError("read", path, error).message);
    }
    try {
      return JSON.parse(text);
    } catch {
      notes.push(`${name} is damaged and left out`);
    }
  };
  const sound = async <T>(name: string, fits: (value: T) => boolean): Promise<T | undefined> => {
    const value = await read(name);
    if (value === undefined) return undefined;
    try {
      if (fits(value as T)) return value as T;
    } catch {
      // said below
    }
    notes.push(`${name} is not what a run of this version writes and is left out`);
  };
  return {
    augmentation: await sound<AugmentedSample[]>(
      SAMPLE_FILES.augmentation,
      (list) => list.every((sample) => isShown(sample) && sample.views.every(isView)),
    ),
    neighbors: await sound<NeighborSample>(
      SAMPLE_FILES.neighbors,
      ({ rows }) =>
        rows.every(({ query, neighbors }) =>
          [query, ...neighbors].every((one) => {
            return isShown(one) && one.facts.every(isText);
          })
        ),
    ),
  };
}

const isText = (value: unknown) => typeof value === "string";

function isShown({ id, image }: { id: string; image: string }): boolean {
  return isText(id) && /^data:image\/png;base64,[\w+/=]*$/.test(image);
}

function isView({ label, words, tags, box, image }: SampleView): boolean {
  return isShown({ id: label, image }) && [...words, ...tags].every(isText) &&
    box.length === 4 && box.every(Number.isFinite);
}
