/**
 * Rotary positions of DINOv3 (Siméoni et al. 2025, arXiv:2508.10104) for any size of picture: the network works them
 * out from the shape of its input.
 *
 * @module
 */
import type { VitShape } from "../shape.ts";
import type { GraphBuilder } from "./graph.ts";

/** Cosine and sine of every patch's angles, [patches, width of a head] each. */
export interface Rotation {
  cos: string;
  sin: string;
}

/** Angles of pictures [batch, C, H, W], worked out in f32 whatever the network computes with. */
export function rope(graph: GraphBuilder, pixels: string, shape: VitShape): Rotation {
  const { dim, heads, patchSize, ropeBase } = shape;
  const periods = dim / heads / 4;
  const turns = Float32Array.from(
    { length: periods },
    (_, i) => 2 * Math.PI / ropeBase ** (i / periods),
  );
  const rates = graph.weight("rope.rates", turns, [periods], "f32");
  const axis = (index: number, others: number[]) => {
    const pixelsOf = graph.op("Shape", [pixels], { start: index, end: index + 1 });
    const side = graph.op("Div", [pixelsOf, graph.ints(patchSize)]);
    const steps = graph.cast(
      graph.op("Range", [graph.int(0), graph.op("Squeeze", [side]), graph.int(1)]),
      "f32",
    );
    const centre = graph.op("Add", [steps, graph.number(0.5, "f32")]);
    const share = graph.op("Div", [centre, graph.cast(side, "f32")]);
    const doubled = graph.op("Mul", [share, graph.number(2, "f32")]);
    const coordinate = graph.op("Sub", [doubled, graph.number(1, "f32")]);
    const column = graph.op("Unsqueeze", [coordinate, graph.ints(1)]);
    return {
      side,
      angles: graph.op("Unsqueeze", [graph.op("Mul", [column, rates]), graph.ints(...others)]),
    };
  };
  const down = axis(2, [1]), across = axis(3, [0]);
  const all = graph.op("Concat", [down.side, across.side, graph.ints(periods)], { axis: 0 });
  const each = [down, across].map(({ angles }) => graph.op("Expand", [angles, all]));
  const twice = graph.op("Concat", [...each, ...each], { axis: -1 });
  const angles = graph.op("Reshape", [twice, graph.ints(-1, 4 * periods)]);
  const [cos, sin] = ["Cos", "Sin"].map((name) => graph.cast(graph.op(name, [angles])));
  return { cos, sin };
}

/** Turns all but the first tokens of queries or keys [batch, heads, tokens, width]. */
export function rotate(
  graph: GraphBuilder,
  x: string,
  { cos, sin }: Rotation,
  prefix: number,
  width: number,
): string {
  const patches = prefix ? graph.slice(x, 2, prefix) : x;
  const half = graph.ints(width / 2, width / 2);
  const [first, second] = graph.ops("Split", [patches, half], 2, { axis: -1 });
  const turned = graph.op("Concat", [graph.op("Neg", [second]), first], { axis: -1 });
  const y = graph.op("Add", [graph.op("Mul", [patches, cos]), graph.op("Mul", [turned, sin])]);
  return prefix ? graph.op("Concat", [graph.slice(x, 2, 0, prefix), y], { axis: 2 }) : y;
}
