/**
 * Numbers as people read them.
 *
 * @module
 */

/** "1,234". */
export function count(n: number): string {
  return n.toLocaleString("en", { maximumFractionDigits: 0 });
}

/** "1 picture", "2 pictures". */
export function many(n: number, one: string, more = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : more}`;
}

/** "Text". */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "1.5 GiB". */
export function bytes(n: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return `${unit === 0 ? n : n.toFixed(1)} ${units[unit]}`;
}

/** "12 %"; small shares do not become 0. */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 10 ? value.toFixed(0) : short(value, 2)} %`;
}

/** A number without more digits than it needs. */
export function short(x: number, digits = 3): string {
  return String(Number(x.toPrecision(digits)));
}

/** "1:02:03", "2:03" or "0:03". */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
