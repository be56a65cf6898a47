/**
 * Who may come in: nobody without the token, nobody through another site's page.
 *
 * @module
 */
import { isIP } from "node:net";
import { isSame } from "../common/dashboard/token.ts";

/** The header that a page sends its token in. Other sites cannot set one, unlike a cookie or a form. */
export const TOKEN_HEADER = "x-hatchling-token";

/** What every answer says about itself: keep nothing, guess nothing, show it in no frame, tell nobody. */
export const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

/** A short answer in words. */
export function plain(status: number, text: string): Response {
  return new Response(text + "\n", {
    status,
    headers: { ...HEADERS, "content-type": "text/plain; charset=utf-8" },
  });
}

/**
 * The answer to a request that may not come in; undefined when it may.
 *
 * The name that it was sent to must be an address or localhost: a page of another site whose name has been turned
 * to this machine (DNS rebinding) still sends that name. What changes something needs the token in a header.
 */
export function refusal(request: Request, token: string): Response | undefined {
  const { headers, method, url } = request;
  const host = headers.get("host") ?? "";
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  if (name !== "localhost" && !isIP(name)) {
    return plain(
      403,
      "Expected an address or localhost: open the URL that was printed at the start",
    );
  }
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  const foreign = origin
    ? origin !== `http://${host}`
    : site === "cross-site" || site === "same-site";
  if (foreign && (method !== "GET" || new URL(url).pathname !== "/")) {
    return plain(403, "Expected a request of this page itself");
  }
  const query = method === "GET" ? new URL(url).searchParams.get("token") : null;
  if (!isSame(headers.get(TOKEN_HEADER) ?? query, token)) {
    return plain(
      403,
      "Expected the token: open the whole URL that was printed at the start, with its ?token=…",
    );
  }
}
