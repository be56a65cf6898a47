/**
 * A DINO step in jax-js's own idiom: pure functions over trees of arrays, `valueAndGrad`, one `jit`.
 *
 * @module
 */
import { isDecayed } from "../../lib/optim/optimizer.ts";
import { resampleMatrix } from "../../lib/ops.ts";
import { STEP, type StepJobShape } from "../jobs.ts";
import type { Jax, JaxArray, Tree } from "./jax_types.ts";

/** Everything that a step changes. */
export type State = {
  student: Tree;
  teacher: Tree;
  expAvg: Tree;
  expAvgSq: Tree;
  center: JaxArray;
};

/** What changes from step to step: learning rate, 1 − β1ᵗ, √(1 − β2ᵗ), [1] each. */
export type Scalars = { lr: JaxArray; correction1: JaxArray; correction2: JaxArray };

type Network = (p: Tree, crops: readonly JaxArray[]) => JaxArray;

/** The network: crops of several sizes → logits [Σ n, K]. Weights are read, not given away. */
export function networkOf(jax: Jax, shape: StepJobShape, fixed: Tree): Network {
  const { numpy: np, nn } = jax;
  const { vit: { dim, depth, heads, patchSize, imageSize } } = shape;
  const grid = imageSize / patchSize;
  const get = (p: Tree, name: string) => p[name].ref;
  const linear = (p: Tree, name: string, x: JaxArray) =>
    np.matmul(x, get(p, `${name}.weight`).transpose()).add(get(p, `${name}.bias`));
  const norm = (p: Tree, name: string, x: JaxArray) =>
    nn.standardize(x, -1, { epsilon: STEP.layerNormEps }).mul(get(p, `${name}.weight`))
      .add(get(p, `${name}.bias`));
  const gelu = (x: JaxArray) => nn.gelu(x, { approximate: false });

  const tokensOf = (p: Tree, images: JaxArray) => {
    const [n, chans, size] = images.shape;
    const side = size / patchSize;
    const patches = images.reshape([n, chans, side, patchSize, side, patchSize])
      .transpose([0, 2, 4, 1, 3, 5]).reshape([n, side * side, chans * patchSize ** 2]);
    const weight = get(p, "patch_embed.proj.weight").reshape([dim, chans * patchSize ** 2]);
    const embedded = np.matmul(patches, weight.transpose()).add(get(p, "patch_embed.proj.bias"));
    const cls = np.broadcastTo(get(p, "cls_token"), [n, 1, dim]);
    const tokens = np.concatenate([cls, embedded], 1);
    const pos = get(p, "pos_embed");
    if (side === grid) return tokens.add(pos);
    return tokens.add(np.matmul(fixed[`pos_${side}`].ref, pos.reshape([1 + grid * grid, dim])));
  };
  const attention = (p: Tree, name: string, x: JaxArray) => {
    const [n, tokens] = x.shape;
    const parts = np.split(linear(p, `${name}.qkv`, x), 3, 2);
    const [q, k, v] = parts.map((a) => a.reshape([n, tokens, heads, dim / heads]));
    return linear(p, `${name}.proj`, nn.dotProductAttention(q, k, v).reshape([n, tokens, dim]));
  };
  const block = (p: Tree, name: string, x: JaxArray) => {
    const middle = x.ref.add(attention(p, `${name}.attn`, norm(p, `${name}.norm1`, x)));
    const hidden = linear(p, `${name}.mlp.fc1`, norm(p, `${name}.norm2`, middle.ref));
    return middle.add(linear(p, `${name}.mlp.fc2`, gelu(hidden)));
  };
  const features = (p: Tree, images: JaxArray) => {
    let x = tokensOf(p, images);
    for (let i = 0; i < depth; i++) x = block(p, `blocks.${i}`, x);
    const [cls, rest] = np.split(x, [1], 1);
    rest.dispose();
    return norm(p, "norm", cls.reshape([-1, dim]));
  };
  const unit = (x: JaxArray, eps: number) =>
    x.ref.div(np.sqrt(x.ref.mul(x).sum(-1, { keepdims: true }).add(eps)));
  const head = (p: Tree, x: JaxArray) => {
    const hidden = gelu(linear(p, "head.mlp.2", gelu(linear(p, "head.mlp.0", x))));
    const bottleneck = unit(linear(p, "head.mlp.4", hidden), 1e-24);
    const weight = unit(get(p, "head.last_layer.weight_v"), 0);
    return np.matmul(bottleneck, weight.transpose());
  };
  return (p, crops) => head(p, np.concatenate(crops.map((c) => features(p, c)), 0));
}

/** Constant matrices: the resampling of the position embedding for the local views. */
export function fixedOf(
  jax: Jax,
  { vit: { imageSize, patchSize }, locals, localSize }: StepJobShape,
) {
  const [grid, side] = [imageSize / patchSize, localSize / patchSize];
  const fixed: Tree = {};
  if (locals && side !== grid) {
    const w = resampleMatrix(grid, side, "offset");
    const [rows, columns] = [1 + side * side, 1 + grid * grid];
    const data = new Float32Array(rows * columns);
    data[0] = 1;
    for (let r = 1; r < rows; r++) {
      const [y, x] = [Math.floor((r - 1) / side), (r - 1) % side];
      for (let c = 1; c < columns; c++) {
        const [i, j] = [Math.floor((c - 1) / grid), (c - 1) % grid];
        data[r * columns + c] = w[y * grid + i] * w[x * grid + j];
      }
    }
    fixed[`pos_${side}`] = jax.numpy.array(data, { shape: [rows, columns] });
  }
  return fixed;
}

/** Loss of student logits [V·B, K] against teacher logits [G·B, K]; both are given away. */
export function dinoLoss(
  { numpy: np, nn }: Jax,
  { globals, locals, batch, outDim }: {
    globals: number;
    locals: number;
    batch: number;
    outDim: number;
  },
  student: JaxArray,
  teacher: JaxArray,
  center: JaxArray,
): JaxArray {
  const views = globals + locals;
  const logs = nn.logSoftmax(student.div(STEP.studentTemp), -1).reshape([views, batch, outDim]);
  const targets = nn.softmax(teacher.sub(center).div(STEP.teacherTemp), -1)
    .reshape([globals, batch, outDim]);
  // Σ over pairs of different views = all pairs less the equal ones.
  const all = targets.ref.sum(0).mul(logs.ref.sum(0)).sum();
  const [own, rest] = np.split(logs, [globals], 0);
  rest.dispose();
  return targets.mul(own).sum().sub(all).div(globals * (views - 1) * batch);
}

/** The jitted step: gives its state away and returns the next one with the loss. */
export function stepOf(jax: Jax, shape: StepJobShape, fixed: Tree) {
  const { numpy: np } = jax;
  const { globals, locals, batch, head: { outDim } } = shape;
  const network = networkOf(jax, shape, fixed);
  const [beta1, beta2] = STEP.betas;
  const lossAndTeacher = (
    student: Tree,
    teacher: Tree,
    center: JaxArray,
    crops: JaxArray[],
  ): [JaxArray, Tree] => {
    const targets = jax.lax.stopGradient(network(teacher, [crops[0].ref]));
    const logits = network(student, crops);
    const sizes = { globals, locals, batch, outDim };
    return [dinoLoss(jax, sizes, logits, targets.ref, center), { targets }];
  };
  const gradient = jax.valueAndGrad(lossAndTeacher, { hasAux: true });

  return jax.jit((state: State, crops: JaxArray[], scalars: Scalars): [State, JaxArray] => {
    const { student, teacher, expAvg, expAvgSq, center } = state;
    const kept = Object.fromEntries(Object.entries(student).map(([name, x]) => [name, x.ref]));
    const shown = Object.fromEntries(Object.entries(teacher).map(([name, x]) => [name, x.ref]));
    const [[loss, { targets }], grads] = gradient(kept, shown, center.ref, crops);
    const next: State = { student: {}, teacher: {}, expAvg: {}, expAvgSq: {}, center };
    for (const [name, weight] of Object.entries(student)) {
      const raw = grads[name];
      const length = np.sqrt(raw.ref.mul(raw.ref).sum());
      const g = raw.mul(np.minimum(1, np.array(STEP_CLIP).div(length.add(1e-6))));
      const m = expAvg[name].mul(beta1).add(g.ref.mul(1 - beta1));
      const v = expAvgSq[name].mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
      const denominator = np.sqrt(v.ref).div(scalars.correction2.ref).add(STEP.eps);
      const move = m.ref.div(denominator).div(scalars.correction1.ref).mul(scalars.lr.ref);
      const decay = isDecayed(name, weight.shape) ? STEP.weightDecay : 0;
      const decayed = decay ? weight.ref.sub(weight.mul(scalars.lr.ref.mul(decay))) : weight;
      const moved = decayed.sub(move);
      next.expAvg[name] = m;
      next.expAvgSq[name] = v;
      next.student[name] = moved.ref;
      next.teacher[name] = teacher[name].mul(STEP.momentum).add(moved.mul(1 - STEP.momentum));
    }
    next.center = center.mul(STEP.centerMomentum)
      .add(targets.mean(0).mul(1 - STEP.centerMomentum));
    return [next, loss];
  });
}

const STEP_CLIP = Float32Array.of(STEP.clip);
