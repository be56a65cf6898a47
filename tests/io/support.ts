/** A test with a folder of its own; ignored without permission to read and write files. */
const allowed = (await Promise.all(
  (["read", "write"] as const).map((name) => Deno.permissions.query({ name })),
)).every(({ state }) => state === "granted");

export function folderTest(name: string, body: (folder: string) => Promise<void>): void {
  const suffix = allowed ? "" : " (needs --allow-read and --allow-write)";
  Deno.test({
    name: name + suffix,
    ignore: !allowed,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await body(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
