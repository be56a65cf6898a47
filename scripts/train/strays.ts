/**
 * Errors that nobody waits for.
 *
 * @module
 */
import type { Progress } from "../common/progress.ts";

/**
 * Does some work; meanwhile a rejection that nobody handles, or an error in a callback, is a warning. What the work
 * needs it waits for, and hears of its errors: such an error belongs to what only tells of the work.
 */
export async function surviveStrays<T>(progress: Progress, work: () => Promise<T>): Promise<T> {
  const onError = (event: Event, error: unknown) => {
    event.preventDefault();
    const message = error instanceof Error ? error.message : String(error);
    progress.say(`warning: something beside the run has failed: ${message}; the run goes on`);
  };
  const onRejection = (event: PromiseRejectionEvent) => onError(event, event.reason);
  const onThrow = (event: ErrorEvent) => onError(event, event.error ?? event.message);
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onThrow);
  try {
    return await work();
  } finally {
    removeEventListener("unhandledrejection", onRejection);
    removeEventListener("error", onThrow);
  }
}
