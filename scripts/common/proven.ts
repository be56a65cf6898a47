/**
 * What of this machine's kernels is used, as far as they were proven.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { tuningTasks } from "../../lib/ops.ts";
import { EFFORTS, type Findings, proveMachine, type Strike } from "../../lib/prove.ts";
import { kernelStorage } from "./kernel_storage.ts";
import type { Progress } from "./progress.ts";

/** One line: which kernel, what was expected and found, what is used instead. */
export function strikeLine(gpu: Gpu, { name, kernel, fault }: Strike): string {
  const [kind] = name.split(" ");
  const instead = [
    ...new Set(
      tuningTasks(gpu).filter((task) => task.name.startsWith(kind)).map(({ usual }) => usual),
    ),
  ];
  const used = instead.length
    ? `${instead.join(" or ")} is used instead`
    : "others are used instead";
  return `struck off: ${name}, since kernel ${kernel} computes wrong: ${fault}; ${used}`;
}

/**
 * Proves what a run will dispatch, where it is not known from before on this adapter and driver; ways that compute
 * wrong are not chosen then. `HATCHLING_PROVE=off` leaves it out.
 *
 * @throws {HatchlingError} When something is wrong and there is no other way to do it.
 */
export async function proveRun(
  gpu: Gpu,
  config: Config,
  progress: Progress,
): Promise<Findings | undefined> {
  if (Deno.env.get("HATCHLING_PROVE") === "off") return undefined;
  const findings = await proveMachine(gpu, {
    config,
    effort: EFFORTS.short,
    storage: await kernelStorage(),
    onProgress: (done, total) =>
      total && progress.show(`proving kernels on this adapter: ${done} of ${total}`, !done),
  });
  progress.end();
  for (const strike of findings.strikes) progress.say(`warning: ${strikeLine(gpu, strike)}`);
  refuse(findings);
  return findings;
}

/** @throws {HatchlingError} When something is wrong and there is no other way to do it. */
export function refuse({ broken }: Findings): void {
  if (!broken.length) return;
  const lines = broken.map(({ kernel, fault }) => kernel ? `kernel ${kernel}: ${fault}` : fault);
  throw new HatchlingError(
    `This adapter or its driver computes wrong, and there is no other kernel for it:\n  ${
      lines.join("\n  ")
    }\nUpdate the driver, or try HATCHLING_ADAPTER=swiftshader; \`deno task prove --json FILE\` writes all of it down`,
  );
}
