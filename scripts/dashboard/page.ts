/**
 * The page: one document with its styles and its program in it, which may load nothing from elsewhere.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { HEADERS } from "./gate.ts";
import css from "./page.css" with { type: "text" };
import html from "./page.html" with { type: "text" };
import program from "./page.js" with { type: "text" };
import cards from "./page_cards.js" with { type: "text" };
import curves from "./page_curves.js" with { type: "text" };
import dom from "./page_dom.js" with { type: "text" };
import { PALETTE } from "./palette.ts";

const script = [dom, curves, cards, program].join("\n")
  .replace("COLORS = []", () => `COLORS = ${JSON.stringify(PALETTE)}`);

const TEXT = html
  .replace(/<style>[^]*<\/style>/, () => `<style>${css}</style>`)
  .replace(/<script>[^]*<\/script>/, () => `<script>${script}</script>`);

/** Only these two may be in the document; pictures come from this server, or from the page itself. */
const POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(css)}`,
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** The answer that holds the page. */
export function page(): Response {
  return new Response(TEXT, {
    headers: {
      ...HEADERS,
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
    },
  });
}
