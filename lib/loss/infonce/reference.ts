/**
 * InfoNCE in float64, pair by pair, as the papers write it: what the kernels are tested against.
 *
 * @module
 */
import { INFONCE_DEFAULTS } from "../defaults.ts";
import type { InfoNceInput } from "./arrays.ts";
import { MAX_LOG_SCALE } from "./sizes.ts";

/** What {@linkcode infoNceReference} takes: what {@linkcode infoNceLoss} does, as any numbers. */
export interface InfoNceReferenceInput extends Omit<InfoNceInput, "queries" | "keys" | "gpu"> {
  /** [V·B, D]. */
  queries: ArrayLike<number>;
  /** [G·B, D]; by default the queries' own. */
  keys?: ArrayLike<number>;
}

/** What {@linkcode infoNceReference} returns. */
export interface InfoNceReference {
  /** In nats. */
  loss: number;
  /** Share of the queries whose positive is the nearest key. */
  accuracy: number;
  /** [G, V]. */
  pairLoss: Float64Array;
  /** [V·B, D]. */
  gradQueries: Float64Array;
  /** Of the loss with respect to ln(1/τ). */
  gradLogScale: number;
}

/**
 * The loss and its gradients, by summing those of every query.
 *
 * @example
 * ```ts
 * import { infoNceReference } from "@hatchling/hatchling/loss";
 *
 * const queries = [1, 0, 0, 1, 1, 0, 0, 1]; // two views of two samples
 * const { loss } = infoNceReference({ queries, dim: 2, views: 2, temperature: 0.5 });
 * console.log(loss); // ln(1 + exp(−2))
 * ```
 */
export function infoNceReference(input: InfoNceReferenceInput): InfoNceReference {
  const { queries, keys = queries, dim: D, views: V, globals: G, temperature } = {
    ...INFONCE_DEFAULTS,
    ...input,
  };
  const B = queries.length / D / V, terms = G * (V - 1) * B;
  const given = typeof temperature === "number" ? undefined : temperature.logScale;
  const scale = typeof temperature === "number"
    ? 1 / temperature
    : Math.exp(Math.min(temperature.logScale, MAX_LOG_SCALE));
  const gradQueries = new Float64Array(V * B * D), pairLoss = new Float64Array(G * V);
  let hits = 0, slope = 0;
  for (let i = 0; i < G; i++) {
    for (let j = 0; j < V; j++) {
      if (i === j) continue;
      for (let b = 0; b < B; b++) {
        const q = j * B + b;
        const s = Array.from({ length: B }, (_, c) => {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += queries[q * D + d] * keys[(i * B + c) * D + d];
          return dot * scale;
        });
        const top = Math.max(...s);
        const e = s.map((x) => Math.exp(x - top));
        const rest = e.reduce((all, x, c) => c === b ? all : all + x, 0), sum = rest + e[b];
        // Of the others where the positive is the nearest, so that nothing cancels.
        pairLoss[i * V + j] += (s[b] === top ? Math.log1p(rest) : top - s[b] + Math.log(sum)) / B;
        hits += +(s.indexOf(top) === b);
        s.forEach((x, c) => {
          const share = (c === b ? -rest : e[c]) / sum / terms;
          slope += share * x;
          for (let d = 0; d < D; d++) {
            gradQueries[q * D + d] += share * scale * keys[(i * B + c) * D + d];
            if (!input.keys) gradQueries[(i * B + c) * D + d] += share * scale * queries[q * D + d];
          }
        });
      }
    }
  }
  return {
    loss: pairLoss.reduce((a, b) => a + b) / (G * (V - 1)),
    accuracy: hits / terms,
    pairLoss,
    gradQueries,
    gradLogScale: given !== undefined && given > MAX_LOG_SCALE ? 0 : slope,
  };
}
