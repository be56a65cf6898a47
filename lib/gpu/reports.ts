/**
 * What a device reports by itself: errors, which come later than what caused them, and its loss.
 *
 * @module
 */
import { DeviceError } from "../errors.ts";
import { lossError, type LostDevice } from "./lost.ts";

/** Listens to one device. */
export class Reports {
  #error: Error | undefined;
  #lost: Error | undefined;
  #closed = false;

  /** Listens from now on; `what` is known of the device when it is lost. */
  constructor(device: GPUDevice, what: LostDevice) {
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#error ??= reported((event as GPUUncapturedErrorEvent).error);
    });
    device.lost.then((lost) => {
      if (!this.#closed) this.#lost = lossError(what, lost);
    });
  }

  /** Throws the first error since the last check; the device's loss every time. */
  check(): void {
    const error = this.#lost ?? this.#error;
    if (!error) return;
    this.#error = undefined;
    throw error;
  }

  /** Leaves out the error that would be thrown next. */
  forget(): void {
    this.#error = undefined;
  }

  /** The device is about to be destroyed, which is no loss. */
  close(): void {
    this.#closed = true;
  }
}

function reported({ constructor: { name }, message }: GPUError): DeviceError {
  return new DeviceError(
    name === "GPUOutOfMemoryError"
      ? `The GPU ran out of memory (${message}): lower data.batch_size or augmentation.num_local_views, or end ` +
        "other programs that use it"
      : `The GPU reported: ${message}`,
  );
}
