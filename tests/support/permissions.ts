/** Tests that run only where they can: elsewhere they are listed as ignored, with the reason in their name. */

/** Why a test that needs these permissions cannot run here; "" when it can. Never asks the user. */
export function lacks(...names: readonly Deno.PermissionName[]): string {
  const missing = names.filter((name) => Deno.permissions.querySync({ name }).state !== "granted");
  return missing.length ? `needs ${missing.map((name) => `--allow-${name}`).join(" ")}` : "";
}

/** A test, ignored when any of the reasons is not empty. */
export function testUnless(
  reasons: readonly string[],
  name: string,
  fn: () => void | Promise<void>,
  options: Partial<Deno.TestDefinition> = {},
): void {
  const reason = reasons.filter(Boolean).join(", ");
  const ignored = reason ? ` (ignored: ${reason})` : "";
  Deno.test({ ...options, name: name + ignored, ignore: !!reason, fn });
}

/** A test that needs permissions. */
export function permissionTest(
  names: readonly Deno.PermissionName[],
  name: string,
  fn: () => void | Promise<void>,
): void {
  testUnless([lacks(...names)], name, fn);
}

/** A test with a temporary folder, which needs to read and write, and perhaps more permissions. */
export function folderTest(
  name: string,
  fn: (folder: string) => Promise<void>,
  more: readonly Deno.PermissionName[] = [],
): void {
  permissionTest(["read", "write", ...more], name, () => withFolder(fn));
}

/** Runs `fn` with a temporary folder, which is removed at the end. */
export async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "hatchling-" });
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
