/**
 * Preloaded by tests: an adapter, and what developers ask of all tests by the environment.
 *
 * - `HATCHLING_PROFILE=gpu`: software adapters pass for GPUs, so that the kernels and sizes are taken that GPUs take.
 * - `HATCHLING_COMPILED=FOLDER`: every kernel that a test compiles, with its constants, is written there, for
 *   `compile_recorded.ts`.
 */
import "../../scripts/common/adapter.ts";
import { watchCompiled } from "../../lib/gpu/kernel.ts";

const profile = Deno.env.get("HATCHLING_PROFILE");
if (profile === "gpu") {
  Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
} else if (profile) throw new Error(`HATCHLING_PROFILE: expected gpu but found ${profile}`);

const folder = Deno.env.get("HATCHLING_COMPILED");
if (folder) {
  // Tests run in threads of their own, each with a file.
  const file = `${folder}/${crypto.randomUUID()}.jsonl`;
  const seen = new Set<string>();
  const BROKEN = ["broken_for_tests", "wrong_for_tests"]; // no compiler shall take them
  watchCompiled(({ source: { name, subgroups }, code, constants }) => {
    const line = JSON.stringify({ source: { name, subgroups }, code, constants }) + "\n";
    if (BROKEN.includes(name)) return;
    if (!seen.has(line)) Deno.writeTextFileSync(file, line, { append: true });
    seen.add(line);
  });
}
