/**
 * Cases ibot_*, gram_* and maskembed_*: what is learned of patches.
 *
 * @module
 */
import type { Gpu } from "../../../lib/gpu.ts";
import { type Centering, gram, IbotLoss } from "../../../lib/loss.ts";
import { gatherRows, NO_ROW, patchEmbed, scatterRows } from "../../../lib/ops.ts";
import { type Case, given, givenFloats, givenLabels } from "./case.ts";
import type { Results } from "./compare.ts";
import { download, upload } from "./tensors.ts";

interface IbotConfig {
  samples: number;
  patches: number;
  out_dim: number;
  centering: Centering;
  student_temp: number;
  teacher_temp: number;
  center_momentum: number;
}

/** More places than there are masked tokens, as in a recorded step. */
const SPARE = 3;

/**
 * Rows of masked patches among those of all samples, and what each counts; then places that name none.
 *
 * @param perSample Rows of a sample, of which the patches are the last.
 */
export function maskedRows(
  mask: Int32Array,
  { samples, patches, perSample }: Record<"samples" | "patches" | "perSample", number>,
): { rows: Uint32Array; weights: Float32Array } {
  const counts = Array.from(
    { length: samples },
    (_, s) => mask.subarray(s * patches, (s + 1) * patches).reduce((a, b) => a + b, 0),
  );
  const some = counts.filter((count) => count > 0).length;
  const masked = Array.from(mask.keys()).filter((i) => mask[i]);
  const sample = (i: number) => Math.floor(i / patches);
  const weights = masked.map((i) => 1 / (counts[sample(i)] * some));
  const before = perSample - patches;
  const rows = masked.map((i) => sample(i) * perSample + before + i % patches);
  return {
    rows: Uint32Array.from([...rows, ...Array<number>(SPARE).fill(NO_ROW)]),
    weights: Float32Array.from([...weights, ...Array<number>(SPARE).fill(0)]),
  };
}

/** Loss, its gradient on the full grid of patches, and the next centre. */
export async function runIbot(gpu: Gpu, testCase: Case): Promise<Results> {
  const { samples, patches, out_dim: outDim, ...config } = testCase.doc
    .config as unknown as IbotConfig;
  const { centering } = config;
  const loss = new IbotLoss({
    ...{ gpu, outDim, centering },
    center: centering === "center" ? givenFloats(testCase.tensors, "center") : undefined,
    studentTemp: config.student_temp,
    teacherTemp: config.teacher_temp,
    centerMomentum: config.center_momentum,
  });
  const { rows, weights } = maskedRows(givenLabels(testCase.tensors, "mask"), {
    ...{ samples, patches, perSample: patches },
  });
  const made = gpu.scope(() => {
    const index = gpu.tensor(rows, [rows.length]);
    const [student, teacher] = ["student", "teacher"]
      .map((name) => gatherRows(gpu, upload(gpu, testCase, name), index));
    const { metrics, gradStudent } = loss.forward(student, teacher, gpu.tensor(weights));
    const size = samples * patches * outDim;
    const full = gpu.tensor(new Float32Array(size), [samples, patches, outDim]);
    scatterRows(gpu, gradStudent, index, full);
    return new Map([["grad_student", full], ["metrics", metrics]]);
  });
  try {
    const centers = centering === "center" ? [["center", loss.center] as const] : [];
    const tensors = await download(gpu, new Map([...made, ...centers]));
    const [value, entropy, ofMean, kl] = tensors.get("metrics")!;
    const expected = {
      ...{ loss: value, teacher_entropy: entropy, teacher_entropy_of_mean: ofMean },
      kl_teacher_student: kl,
    };
    return { tensors, fields: { expected } };
  } finally {
    for (const tensor of [...made.values(), loss]) tensor.destroy();
  }
}

/** Loss and gradient. */
export async function runGram(gpu: Gpu, testCase: Case): Promise<Results> {
  const { prefix } = testCase.doc.config as { prefix: number };
  const { loss, gradTokens } = gpu.scope(() =>
    gram(gpu, upload(gpu, testCase, "student"), upload(gpu, testCase, "anchor"), { prefix })
  );
  try {
    const tensors = await download(gpu, new Map([["grad_student", gradTokens], ["loss", loss]]));
    return { tensors, fields: { expected: { loss: tensors.get("loss")![0] } } };
  } finally {
    for (const tensor of [loss, gradTokens]) tensor.destroy();
  }
}

/** Tokens of a batch with masked patches, and all gradients of Σ y · grad_y. */
export async function runMaskEmbed(gpu: Gpu, testCase: Case): Promise<Results> {
  const made = gpu.scope(() => {
    const weight = (name: string) => {
      const data = upload(gpu, testCase, `param.${name}`);
      return { data, grad: gpu.tensor(new Float32Array(data.size), data.shape) };
    };
    const [projection, bias, cls, token] = [
      ...["patch_embed.proj.weight", "patch_embed.proj.bias", "cls_token", "mask_token"].map(
        weight,
      ),
    ];
    const { shape } = given(testCase.tensors, "mask");
    const mask = gpu.tensor(Uint32Array.from(givenLabels(testCase.tensors, "mask")), shape);
    const { y, backward } = patchEmbed(
      gpu,
      upload(gpu, testCase, "x"),
      { weight: projection, bias, cls },
      upload(gpu, testCase, "param.pos_embed"),
      undefined,
      { mask, token },
    );
    const { pos, images } = backward(upload(gpu, testCase, "grad_y"), true);
    return new Map([
      ["y", y],
      ["grad_x", images!],
      ["grad.pos_embed", pos!],
      ["grad.patch_embed.proj.weight", projection.grad],
      ["grad.patch_embed.proj.bias", bias.grad],
      ["grad.cls_token", cls.grad],
      ["grad.mask_token", token.grad],
    ]);
  });
  try {
    return { tensors: await download(gpu, made) };
  } finally {
    for (const tensor of made.values()) tensor.destroy();
  }
}
