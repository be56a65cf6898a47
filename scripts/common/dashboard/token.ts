/**
 * What a page has to know to be let in.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { HatchlingError } from "../../../lib/errors.ts";

/** Fewest characters of a token of one's own. */
const FEWEST = 16;

/**
 * A token of 192 random bits, or the one that was chosen.
 *
 * @throws {HatchlingError} When that one is too short, or would not survive in a URL.
 */
export function newToken(chosen?: string): string {
  if (!chosen) {
    return crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
  }
  if (chosen.length >= FEWEST && /^[\w-]+$/.test(chosen)) return chosen;
  throw new HatchlingError(
    `Expected HATCHLING_DASHBOARD_TOKEN to be ${FEWEST} letters, digits, - or _ at least but found ` +
      `${chosen.length} characters: leave it out for a random one`,
  );
}

/** Whether two tokens are the same, in a time that does not tell how much of them is. */
export function isSame(given: string | null | undefined, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given ?? ""), digest(token));
}
