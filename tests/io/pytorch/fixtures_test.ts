/** Files that PyTorch itself wrote (tests/golden/make_weights.py) are read as it reads them. */
import assert from "node:assert/strict";
import { type Dtype, DTYPES, toFloat32 } from "../../../lib/io/dtype.ts";
import { openWeightsFile, type WeightsFile } from "../../../lib/io/weights_file.ts";
import { openWeightsBytes } from "../../../lib/io/weights_source.ts";
import { permissionTest } from "../../support/permissions.ts";

const FOLDER = new URL("../../golden/weights/", import.meta.url);

type Expected = Record<string, Record<string, [Dtype, number[], number[]]>>;

const expectations = async () =>
  JSON.parse(await Deno.readTextFile(new URL("expected.json", FOLDER))) as Expected;

async function check(file: WeightsFile, expected: Expected[string]): Promise<void> {
  assert.deepEqual([...file.entries.keys()], Object.keys(expected));
  // backwards, so that no read leans on the one before
  for (const [name, [dtype, shape, values]] of Object.entries(expected).reverse()) {
    assert.deepEqual(file.entries.get(name), { name, dtype, shape });
    const tensor = await file.read(name);
    assert.deepEqual([tensor.dtype, tensor.shape], [dtype, shape]);
    assert.equal(tensor.data.constructor.name, DTYPES[dtype].array);
    assert.deepEqual([...toFloat32(tensor)], values.map(Math.fround), `${file.file}: ${name}`);
  }
}

permissionTest(
  ["read"],
  "every file of PyTorch's gives its names, types, shapes and values",
  async () => {
    const expected = await expectations();
    assert.ok(Object.keys(expected).length >= 18);
    for (const [name, tensors] of Object.entries(expected)) {
      const { pathname } = new URL(name, FOLDER);
      using file = await openWeightsFile(pathname);
      await check(file, tensors);
      using inMemory = await openWeightsBytes(await Deno.readFile(pathname), name);
      await check(inMemory, tensors);
      await assert.rejects(file.read("none"), /Expected a tensor none in .*: none there/);
    }
  },
);

permissionTest(
  ["read"],
  "texts of a checkpoint are metadata, foreign objects stay closed",
  async () => {
    for (const kind of ["zip", "legacy"]) {
      using whole = await openWeightsFile(new URL(`checkpoint.${kind}.pth`, FOLDER).pathname);
      const { epoch, best, "args.arch": arch, "args.patch_size": patch } = whole.metadata;
      assert.deepEqual([epoch, best, arch, patch], ["801", "true", "vit_small", "16"]);
      assert.equal(whole.metadata["optimizer.param_groups.0.betas.1"], "0.999");
      using other = await openWeightsFile(new URL(`lightning.${kind}.pth`, FOLDER).pathname);
      assert.deepEqual({ ...other.metadata }, {
        "loops.a.0": "1",
        "size.0": "2",
        "size.1": "3",
        text: "ü".repeat(20),
      });
      using strided = await openWeightsFile(new URL(`strided.${kind}.pth`, FOLDER).pathname);
      assert.equal(strided.metadata.complex, "left out: a tensor of complex64, shape [2]");
    }
  },
);
