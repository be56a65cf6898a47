/**
 * Files of models at addresses.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

/**
 * A file from an address.
 *
 * @returns Undefined where there is none; servers of pages may answer with a page instead.
 * @throws {HatchlingError} When there is no answer, or one that tells of another error.
 */
export async function fetchFile(url: URL): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const fail = (found: string, cause?: unknown): never => {
    throw new HatchlingError(
      `Expected ${
        shown(url.href.slice(0, 200))
      } to be there but found ${found}: check the address, and whether ` +
        "its server allows this page or program to read it",
      { cause },
    );
  };
  const answer: Response = await fetch(url).catch((error) => fail(shown(error.message), error));
  const isPage = answer.headers.get("content-type")?.startsWith("text/html");
  if (!answer.ok || isPage) {
    await answer.body?.cancel();
    if (isPage || [403, 404, 410].includes(answer.status)) return;
    return fail(`status ${answer.status}`);
  }
  return new Uint8Array(await answer.arrayBuffer().catch((error) => fail(error.message, error)));
}

/** Whether an address is of a folder rather than of a file of weights. */
export function isFolder({ protocol, pathname }: URL): boolean {
  return protocol.startsWith("http") && !/\.(safetensors|pth|pt|bin)$/i.test(pathname);
}

/** Files that may hold the weights of a folder, the one to take first. */
export function filesOfRun(student: boolean, isRun: boolean): string[] {
  if (!isRun) return ["model.safetensors", "pytorch_model.bin"];
  const all = ["teacher.safetensors", "student.safetensors", "best.safetensors"];
  return student ? all.slice(1) : all;
}

/** What Hugging Face has beside its files. */
export async function fetchPublished(
  file: URL,
): Promise<{ config?: unknown; preprocessor?: unknown }> {
  if (!/\/(model\.safetensors|pytorch_model\.bin)$/.test(file.pathname)) return {};
  const json = async (name: string) => {
    const bytes = await fetchFile(new URL(name, file));
    try {
      return bytes && JSON.parse(new TextDecoder().decode(bytes));
    } catch (error) {
      throw new HatchlingError(
        `Expected JSON in ${name} beside ${shown(file.href)} but: ${
          shown((error as Error).message)
        }`,
      );
    }
  };
  return {
    config: await json("config.json"),
    preprocessor: await json("preprocessor_config.json"),
  };
}
