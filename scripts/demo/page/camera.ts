/**
 * The camera: a picture now and then, or one after the other.
 *
 * @module
 */
import { $, attempt, say } from "./dom.ts";

/** Longest side of a picture in pixels. */
const SIDE = 512;

/** Pixels of a picture, RGBA. */
export interface Frame {
  width: number;
  height: number;
  data: ArrayBuffer;
}

/** Who gets pictures. */
export interface CameraUse {
  /** Takes a picture in. */
  take(frame: Frame): Promise<void>;
  /** Looks at a picture that passes. */
  pass(frame: Frame): Promise<void>;
}

/** The camera's box. */
export class Camera {
  readonly #video = $<HTMLVideoElement>("video");
  readonly #use: CameraUse;
  #stream?: MediaStream;

  /** Wires its buttons. */
  constructor(use: CameraUse) {
    this.#use = use;
    $("camera").addEventListener("click", () => void attempt(() => this.#toggle()));
    $("shoot").addEventListener("click", () => void attempt(() => use.take(this.#frame())));
    $("live").addEventListener("change", () => void attempt(() => this.#live()));
  }

  async #toggle(): Promise<void> {
    if (this.#stream) return this.#close();
    if (!navigator.mediaDevices) {
      throw new Error("Expected a camera, but this page has no access to one");
    }
    this.#stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 640 } },
    }).catch((error) => {
      throw new Error(`The camera cannot be used: ${error.message}`);
    });
    this.#video.srcObject = this.#stream;
    this.#open(true);
  }

  #close(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.#video.srcObject = null;
    $<HTMLInputElement>("live").checked = false;
    this.#open(false);
  }

  #open(is: boolean): void {
    $("camera-box").hidden = !is;
    $("camera").setAttribute("aria-expanded", String(is));
  }

  async #live(): Promise<void> {
    const live = $<HTMLInputElement>("live");
    while (live.checked && this.#stream) {
      await this.#use.pass(this.#frame()).catch((error) => {
        live.checked = false;
        throw error;
      });
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    say("");
  }

  #frame(): Frame {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth) throw new Error("The camera shows nothing yet: try again in a moment");
    const scale = Math.min(1, SIDE / Math.max(videoWidth, videoHeight));
    const [width, height] = [videoWidth, videoHeight].map((n) => Math.round(n * scale));
    const context = new OffscreenCanvas(width, height).getContext("2d", {
      willReadFrequently: true,
    })!;
    context.drawImage(this.#video, 0, 0, width, height);
    return { width, height, data: context.getImageData(0, 0, width, height).data.buffer };
  }
}
