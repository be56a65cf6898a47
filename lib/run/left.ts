/**
 * What a run leaves in its folder for its report: attention over time, and pictures with words.
 *
 * @module
 */
import { join } from "node:path";

/** Attention on fixed pictures after some steps. */
export interface Snapshot {
  /** Steps done. */
  step: number;
  /** Path of the PNG: the pictures side by side. */
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
  /** What their features are, in words. */
  readout?: string;
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
