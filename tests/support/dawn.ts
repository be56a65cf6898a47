/**
 * Dawn, the WebGPU of Chromium, for Node: npm `webgpu`. It stands in no import map and no lock file, so that 200 MB are
 * downloaded by those alone who run it; whoever does takes `--no-lock`, or the lock file would get it.
 */

/** Starts Dawn with a backend: `vulkan`, or `null`, which computes nothing and needs no GPU. */
export async function createDawn(
  backend: string,
): Promise<{ gpu: GPU; globals: Record<string, unknown> }> {
  // Not a literal, which every check of the types would download.
  const name: string = "npm:webgpu@0.6.2";
  const { create, globals } = await import(name);
  return { gpu: create([`backend=${backend}`]), globals };
}
