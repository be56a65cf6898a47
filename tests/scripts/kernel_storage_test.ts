/** The kept choice of kernels, whatever lies in its place. */
import assert from "node:assert/strict";
import { kernelStorage } from "../../scripts/common/kernel_storage.ts";
import { folderTest } from "../support/permissions.ts";

folderTest("kernelStorage() reads nothing but a file", async (folder) => {
  const storage = (await kernelStorage(folder))!;
  await Deno.mkdir(`${folder}/kernels-folder.json`);
  const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/kernels-pipe.json`] })
    .output();
  assert.ok(success);
  await Deno.writeFile(`${folder}/kernels-large.json`, new Uint8Array(2 ** 21));
  for (const key of ["folder", "pipe", "large"]) assert.equal(await storage.get(key), undefined);
  await storage.set("pipe", "{}");
  assert.equal((await storage.get("pipe"))?.trim(), "{}", "a file is put in its place");
}, ["run"]);
