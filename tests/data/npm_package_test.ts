import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { npmPackageDir } from "../../lib/data/npm_package.ts";
import { permissionTest } from "../support/permissions.ts";

Deno.test("npmPackageDir() throws when the version is a range or the name is malformed", async () => {
  for (const [name, version] of [["yaml", "^2.9.1"], ["yaml", "latest"], ["../yaml", "2.9.1"]]) {
    await assert.rejects(npmPackageDir(name, version), HatchlingError);
  }
});

permissionTest(
  ["run", "read"],
  "npmPackageDir() returns the folder of the package when it can be had",
  async () => {
    const folder = await npmPackageDir("yaml", "2.9.1");
    const { name, version } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
    assert.deepEqual([name, version], ["yaml", "2.9.1"]);
    // Asked again it is the same promise: no second process.
    assert.equal(npmPackageDir("yaml", "2.9.1"), npmPackageDir("yaml", "2.9.1"));
  },
);

permissionTest(
  ["run", "read"],
  "npmPackageDir() says what is missing and what to do when the version does not exist",
  async () => {
    await assert.rejects(npmPackageDir("yaml", "2.9.99999"), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, /yaml@2\.9\.99999.*deno cache npm:yaml@2\.9\.99999/s);
      return true;
    });
  },
);
