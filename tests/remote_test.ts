/** The public module as strangers use it: imported by URL, from a folder of their own, without permissions. */
import assert from "node:assert/strict";
import { dinoLossReference } from "../lib/loss.ts";
import { assertClose } from "./support/numbers.ts";
import { remoteTest } from "./support/remote.ts";

/** Uses the model, the loss and its gradient, and prints what the test recomputes. */
const SCRIPT = (base: string) => `
import { DinoLoss, DinoModel, initialize, openGpu, Parameters, parseConfig } from "${base}/mod.ts";

const config = parseConfig("data: {batch_size: 2}", { file: "mine.yaml" });
const gpu = await openGpu();
const model = new DinoModel(
  { imageSize: 8, patchSize: 4, dim: 8, depth: 1, heads: 2 },
  { outDim: 6, hiddenDim: 8, bottleneckDim: 4 },
);
const params = new Parameters(gpu, model.specs(), { grad: true });
params.load(initialize(model.specs(), 0));
const batch = config.data.batch_size;
const pixels = Float32Array.from({ length: 3 * batch * 192 }, (_, i) => Math.sin(i));
const crops = gpu.tensor(pixels, [3 * batch, 3, 8, 8]);
const loss = new DinoLoss({ outDim: 6, nCrops: 3 });
const { metrics, grad, logits } = gpu.scope(() => {
  const { logits, backward } = model.forward(gpu, params, [crops]);
  const teacher = logits.view([2 * batch, 6]);
  const { metrics, gradStudent } = loss.forward(logits, teacher);
  backward(gradStudent);
  return { metrics, logits, grad: gradStudent };
});
const [m, g, l, w] = await gpu.read([metrics, grad, logits, params.get("cls_token").grad]);
console.log(JSON.stringify({ loss: [m[0]], grad: [...g], logits: [...l], cls: [...w] }));
for (const t of [metrics, grad, logits, crops, params, loss]) t.destroy();
if (gpu.memory.liveBytes) throw new Error("leaked");
gpu.destroy();
`;

/** A script that has no permission but to import from here, and prints JSON. */
function scriptTest(
  name: string,
  script: (base: string) => string,
  check: (printed: Record<string, number[]>, served: string[]) => void,
): void {
  remoteTest(name, async (folder, base) => {
    await Deno.writeTextFile(`${folder}/script.ts`, script(base));
    return ["script.ts"];
  }, (printed, served) => check(JSON.parse(printed), served));
}

scriptTest(
  "mod.ts works imported by URL without permissions",
  SCRIPT,
  ({ loss, grad, logits: student, cls }, served) => {
    const teacher = student.slice(0, 4 * 6);
    const expected = dinoLossReference({ student, teacher, outDim: 6, nCrops: 3 });
    assertClose(loss, [expected.loss], 3e-6, "loss");
    assertClose(grad, expected.gradStudent, 3e-6, "gradient");
    assert.ok(cls.length === 8 && cls.every((g: number) => g !== 0), `cls_token: ${cls}`);
    assert.ok(served.includes("kernels/matmul.wgsl"));
  },
);

const LOSS_SCRIPT = (base: string) => `
import { dinoLoss } from "${base}/lib/loss.ts";

const wave = (n, f) => Float32Array.from({ length: n }, (_, i) => Math.sin(f * i));
const [student, teacher] = [wave(4 * 3 * 5, 1.7), wave(2 * 3 * 5, 0.9)];
const result = await dinoLoss({ student, teacher, outDim: 5, nCrops: 4 });
console.log(JSON.stringify({
  loss: [result.loss],
  grad: [...result.gradStudent],
  center: [...result.center],
}));
`;

scriptTest(
  "lib/loss.ts alone works imported by URL without permissions",
  LOSS_SCRIPT,
  (found, served) => {
    const wave = (n: number, f: number) =>
      Float32Array.from({ length: n }, (_, i) => Math.sin(f * i));
    const [student, teacher] = [wave(60, 1.7), wave(30, 0.9)];
    const expected = dinoLossReference({ student, teacher, outDim: 5, nCrops: 4 });
    assertClose(found.loss, [expected.loss], 3e-6, "loss");
    assertClose(found.grad, expected.gradStudent, 3e-6, "gradient");
    assertClose(found.center, expected.center, 3e-6, "centre");
    for (const path of served) assert.doesNotMatch(path, /lib\/(data|io|eval|augmentation)/);
  },
);
