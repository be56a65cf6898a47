/**
 * Pieces of HTML that a report is made of. What comes from outside is escaped here.
 *
 * @module
 */
import { escape } from "../draw/html.ts";

/** Rows of names and texts; what has no text is left out. */
export function facts(rows: readonly (readonly [name: string, text: string | undefined])[]) {
  const lines = rows.flatMap(([name, text]) => {
    return text ? [`<tr><th scope="row">${escape(name)}</th><td>${escape(text)}</td></tr>`] : [];
  });
  return `<div class="scroll"><table class="facts"><tbody>${
    lines.join("\n")
  }</tbody></table></div>`;
}

/** A section; `about` is text, `content` HTML. Nothing where there is no content. */
export function section(id: string, title: string, content: string, about = ""): string {
  if (!content) return "";
  const words = about && `<p class="about">${escape(about)}</p>\n`;
  return `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${
    escape(title)
  }</h2>\n${words}${content}\n</section>`;
}

/** Lines of text. */
export function list(lines: readonly string[]): string {
  return lines.length ? `<ul>${lines.map((line) => `<li>${escape(line)}</li>`).join("")}</ul>` : "";
}

/** An image in the page. */
export function image(uri: string, alt: string, attributes = ""): string {
  return `<img src="${escape(uri)}" alt="${escape(alt)}"${attributes && ` ${attributes}`}>`;
}
