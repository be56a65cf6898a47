/**
 * What page and worker say to each other. Pictures have numbers, in the order in which they were added.
 *
 * @module
 */

/** A file with its path as the user sees it: "holidays/a.jpg". */
export interface GivenFile {
  /** Its path. */
  name: string;
  /** Its contents. */
  file: Blob;
}

/** The GPU. */
export interface GpuFacts {
  /** Its name. */
  name: string;
  /** Whether a CPU plays it. */
  software: boolean;
}

/** A model. */
export interface ModelFacts {
  /** Whose weights. */
  name: string;
  /** What it is, in words. */
  words: string;
  /** Side of its pictures in pixels. */
  imageSize: number;
  /** Side of a patch in pixels; none of a ResNet. */
  patch?: number;
  /** Heads of attention; none of a ResNet. */
  heads?: number;
  /** What else there is to know. */
  notes: string[];
}

/** A picture that was taken in. */
export interface AddedPicture {
  /** Its number. */
  index: number;
  /** Its name. */
  name: string;
  /** Small. */
  thumbnail: ImageBitmap;
}

/** Files that were taken in, and those that could not be. */
export interface Added {
  /** Pictures. */
  pictures: AddedPicture[];
  /** The others, with the reason. */
  skipped: { name: string; reason: string }[];
}

/** What a model sees in a picture. */
export interface Seen {
  /** The picture as the model gets it: its central square. */
  picture: ImageBitmap;
  /** Patches down and across. */
  grid: [rows: number, columns: number];
  /** Heads. */
  heads: number;
  /** Tokens: patches, and the class token before them where there is one. */
  tokens: number;
  /** Attention of every token to every token in the last block, [heads, tokens, tokens]. */
  attention: Float32Array;
  /** Three components of its patches from 0 to 255, [patches, 3]. */
  components: Uint8Array;
}

/** A neighbour of a picture. */
export interface Neighbor {
  /** Number of the picture. */
  index: number;
  /** Cosine similarity. */
  similarity: number;
}

/** What is trained. */
export interface TrainRequest {
  /** Configuration, as YAML. */
  config: string;
  /** Whether on the emoji that come with the page, or on the pictures that were added. */
  on: "emoji" | "pictures";
  /** A checkpoint to go on from. */
  checkpoint?: GivenFile;
}

/** A run in the tab. */
export interface RunFacts {
  /** Steps in all, of an epoch, and done. */
  total: number;
  stepsPerEpoch: number;
  step: number;
  /** Pictures of a step. */
  batch: number;
  /** Pictures of the set. */
  pictures: number;
  /** What it is, in words. */
  words: string;
  /** What else there is to know. */
  notes: string[];
}

/** What the page is told after a step. */
export interface StepNews {
  /** Steps done. */
  step: number;
  /** Figures by name. */
  figures: Record<string, number>;
  /** Learning rate. */
  lr: number;
  /** Milliseconds of the step. */
  ms: number;
}

/** How fast a run goes. */
export type Speed = "run" | "slow" | "pause";

/** What comes without being asked for. */
export interface Events {
  /** Progress of something slow; done ≥ total: it is over. */
  progress: { what: string; done: number; total: number };
  /** A step of the run. */
  step: StepNews;
  /** The run has stopped: it is over, or in trouble. */
  ended: { why?: string };
  /** The GPU was lost. */
  lost: { why: string };
}

/** What the worker does. */
export interface Calls {
  /** Opens the GPU. */
  open(): Promise<GpuFacts>;
  /** Loads a model: a file of weights or a checkpoint, with a configuration beside it where there is one. */
  load(files: GivenFile[]): Promise<ModelFacts>;
  /** Takes in pictures. */
  add(files: GivenFile[]): Promise<Added>;
  /** Takes in so many of the emoji that come with the page. */
  addEmoji(count: number): Promise<Added>;
  /** Takes in pixels, such as a camera's: RGBA. */
  addPixels(name: string, width: number, height: number, data: ArrayBuffer): Promise<Added>;
  /** Forgets all pictures. */
  clear(): Promise<void>;
  /** What the model sees in a picture, so many patches across. */
  look(index: number, patches: number): Promise<Seen>;
  /** The same in pixels that pass, such as a camera's: RGBA. */
  lookAtPixels(width: number, height: number, data: ArrayBuffer, patches: number): Promise<Seen>;
  /** Features of pictures as the configuration reads them out, not of length 1. */
  features(indices: number[]): Promise<Float32Array[]>;
  /** The most similar pictures of one. */
  neighbors(index: number, k: number): Promise<Neighbor[]>;
  /** Places of all pictures, similar ones near each other, [n, 2] from 0 to 1. */
  map(): Promise<Float32Array>;
  /** Begins a run, or goes on with one; it waits for `speed("run")`. */
  train(request: TrainRequest): Promise<RunFacts>;
  /** Sets how fast the run goes. */
  speed(speed: Speed): Promise<void>;
  /** The views of some pictures of the set, made as in training, in rows. */
  views(pictures: number): Promise<ImageBitmap[][]>;
  /** What the teacher looks at in the first pictures of the set. */
  watch(pictures: number): Promise<ImageBitmap[]>;
  /** The run as a checkpoint file. */
  checkpoint(): Promise<{ name: string; bytes: Uint8Array<ArrayBuffer> }>;
  /** Weights of the teacher, or of the student where that is alone. */
  export(): Promise<{ name: string; bytes: Uint8Array<ArrayBuffer>; config: string }>;
  /** The run's network as it is now becomes the model that looks. */
  adopt(): Promise<ModelFacts>;
  /** Ends the run. */
  end(): Promise<void>;
}
