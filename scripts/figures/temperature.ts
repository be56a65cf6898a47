/**
 * The figure of what a temperature does to a distribution.
 *
 * @module
 */
import { BLUE, el, figure, label, line, ORANGE, scale } from "../../lib/draw/svg.ts";

/** Cosines, as DINO's head gives them. */
export const LOGITS: readonly number[] = [0.5, 0.45, 0.35, 0.25, 0.1, 0, -0.15, -0.3];

/** From flat to sharp. */
export const TEMPERATURES: readonly number[] = [0.2, 0.1, 0.07, 0.04, 0.02];

/** What two of them are for. */
const ROLES: Record<number, { color: string; role: string }> = {
  0.1: { color: BLUE, role: "student" },
  0.04: { color: ORANGE, role: "teacher" },
};

/** softmax(logits / temperature). */
export function softmaxAt(logits: readonly number[], temperature: number): number[] {
  const top = Math.max(...logits);
  const weights = logits.map((x) => Math.exp((x - top) / temperature));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

/** Entropy in nats. */
export function entropyOf(distribution: readonly number[]): number {
  return -distribution.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0);
}

/** The drawing. */
export function temperatureFigure(): string {
  const width = 760, height = 260, left = 64, panel = 138, bars = 118, top = 62, bottom = 196;
  const logits = LOGITS.join(", ").replaceAll("-", "−");
  const y = scale([0, 1], [bottom, top]);
  const grid = [0, 0.5, 1].flatMap((p) => [
    line([[left - 4, y(p)], [width - 12, y(p)]], { class: "grid", "stroke-width": 1 }),
    label(left - 10, y(p) + 4, String(p), { "text-anchor": "end" }),
  ]);
  const panels = TEMPERATURES.flatMap((temperature, i) => {
    const x = left + i * panel;
    const middle = x + bars / 2;
    const { color = "#7d8590", role = "" } = ROLES[temperature] ?? {};
    const shares = softmaxAt(LOGITS, temperature);
    const step = bars / LOGITS.length;
    return [
      label(middle, 30, `τ = ${temperature}${role && `, ${role}`}`, {
        "text-anchor": "middle",
        class: "title",
      }),
      ...shares.map((p, k) =>
        el("rect", {
          x: x + k * step,
          y: Math.round(10 * y(p)) / 10,
          width: step - 2,
          height: Math.round(10 * (bottom - y(p))) / 10,
          fill: color,
        })
      ),
      label(x + step, y(shares[0]) - 5, shares[0].toFixed(2), {
        "text-anchor": "middle",
        class: "halo",
      }),
      label(middle, bottom + 18, `entropy ${entropyOf(shares).toFixed(2)} nats`, {
        "text-anchor": "middle",
      }),
    ];
  });
  return figure(
    { width, height },
    "What a temperature does",
    `Bars of softmax(logits / τ) for the same eight logits, ${logits}, at τ = ${
      TEMPERATURES.join(", ")
    }: the lower the temperature, the more of the probability the largest logit takes.`,
    ...grid,
    label(16, (top + bottom) / 2, "probability", {
      "text-anchor": "middle",
      transform: `rotate(-90 16 ${(top + bottom) / 2})`,
    }),
    ...panels,
    label(left, height - 14, `The same logits each time: ${logits}`),
  );
}
