/** scripts/train/replace.ts and lib/run/written.ts: a run in the place of another one. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { checkPlaces, markOf, runFiles } from "../../lib/run/written.ts";
import { dropAside, putBack, recoverFolder, setAside } from "../../scripts/train/replace.ts";
import { folderTest } from "../support/permissions.ts";

const OLD = [
  ...["checkpoint-00000004.safetensors", "teacher.safetensors", "student.safetensors"],
  ...["best.safetensors", "run.json", "metrics.jsonl", "evaluations.jsonl", "evaluation.json"],
  ...["skipped.jsonl", "events.out.tfevents.1790000000.hatchling.77", "non-finite-00000003.json"],
  ...["config.yaml", "kernels.json", "augmentation.json", "neighbors.json", "report.html"],
  ...["curves/loss.svg", "curves/loss.png", "attention/step-00000004.png"],
  ...["attention/pictures.png", "attention/heads.png"],
];

/** What no run wrote. */
const MINE = ["notes.txt", "checkpoint-mine.safetensors", "curves/own.txt", "more/run.json"];

async function write(folder: string, names: readonly string[], text: string): Promise<void> {
  for (const name of names) {
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.writeTextFile(join(folder, name), `${text} ${name}`);
  }
}

/** Texts of all files by path. */
async function filesOf(folder: string, below = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(join(folder, below))) {
    const path = below ? `${below}/${name}` : name;
    if (isDirectory) Object.assign(found, await filesOf(folder, path));
    else found[path] = await Deno.readTextFile(join(folder, path));
  }
  return found;
}

/** What changes a folder. */
const CHANGES = ["mkdir", "remove", "rename", "writeTextFile"] as const;

/** Does `work` as a process that is killed after n changes; whether it came to its end before. */
async function killed(n: number, work: () => Promise<void>): Promise<boolean> {
  // deno-lint-ignore no-explicit-any
  const api = Deno as any, whole = CHANGES.map((name) => api[name]);
  const { promise: died, resolve } = Promise.withResolvers<boolean>();
  CHANGES.forEach((name, i) => {
    api[name] = (...args: unknown[]) => {
      if (n-- > 0) return whole[i].apply(Deno, args);
      resolve(false);
      return new Promise(() => {}); // a dead process does nothing more
    };
  });
  try {
    return await Promise.race([died, work().then(() => true)]);
  } finally {
    CHANGES.forEach((name, i) => api[name] = whole[i]);
  }
}

folderTest("runFiles() and markOf() tell what a run wrote from what it did not", async (folder) => {
  await write(folder, MINE, "my");
  assert.deepEqual(await runFiles(folder), []);
  assert.equal(await markOf(folder), undefined);
  await write(folder, ["config.yaml", "report.html"], "my");
  assert.equal(await markOf(folder), undefined, "somebody else may have such files");
  await write(folder, OLD, "old");
  assert.deepEqual(await runFiles(folder), OLD.toSorted());
  assert.equal(await markOf(folder), "checkpoint-00000004.safetensors");
  assert.deepEqual(await runFiles(join(folder, "none")), []);
});

folderTest("checkPlaces() names what lies in the place of a run's file", async (folder) => {
  await write(folder, OLD, "old");
  await checkPlaces(folder);
  await Deno.remove(join(folder, "run.json"));
  await Deno.mkdir(join(folder, "run.json"));
  await assert.rejects(checkPlaces(folder), /Expected a file at .*run\.json.* but found a folder/);
});

folderTest(
  "a killed start leaves the old run whole, or a new one with a checkpoint",
  async (root) => {
    const before = Object.fromEntries([
      ...OLD.map((name) => [name, `old ${name}`]),
      ...MINE.map((name) => [name, `my ${name}`]),
    ]);
    const FRESH = ["run.json", "config.yaml", "metrics.jsonl", "attention/step-00000000.png"]
      .concat("checkpoint-00000000.safetensors"); // nothing that would be lost
    const NEW = [...FRESH, "checkpoint-00000002.safetensors"];
    const after = Object.fromEntries([
      ...NEW.map((name) => [name, `new ${name}`]),
      ...MINE.map((name) => [name, `my ${name}`]),
    ]);
    const seen = { old: 0, new: 0 };
    for (let n = 1, ended = false; !ended; n++) {
      const folder = join(root, String(n));
      await write(folder, OLD, "old");
      await write(folder, MINE, "my");
      ended = await killed(n, async () => {
        await setAside(folder);
        await write(folder, FRESH, "new");
        await write(folder, NEW.slice(-1), "new");
        await dropAside(folder);
      });
      // The start after it may be killed as well.
      for (let m = 1; !await killed(m, async () => void await recoverFolder(folder)); m += 7);
      const found = await filesOf(folder);
      const isNew = found["run.json"].startsWith("new");
      seen[isNew ? "new" : "old"]++;
      assert.deepEqual(found, isNew ? after : before, `killed before change ${n}`);
      assert.equal(await recoverFolder(folder), undefined);
    }
    assert.ok(seen.old > OLD.length && seen.new >= 3, JSON.stringify(seen));
  },
);

folderTest(
  "putBack() brings the old run back, and setAside() undoes what fails",
  async (folder) => {
    await write(folder, OLD, "old");
    await write(folder, MINE, "my");
    const before = await filesOf(folder);
    await setAside(folder);
    await write(folder, OLD.slice(3), "new");
    await write(folder, ["run.json.0b0e9d29-6a0c-4c2f-8d6e-000000000000.hatchling-tmp"], "torn");
    await putBack(folder);
    assert.deepEqual(await filesOf(folder), before);

    const rename = Deno.rename;
    let count = 0;
    Deno.rename = (...args) => ++count === 9 ? Promise.reject(new Error("no")) : rename(...args);
    try {
      await assert.rejects(setAside(folder), /Cannot move .*: no/);
    } finally {
      Deno.rename = rename;
    }
    assert.deepEqual(await filesOf(folder), before);
  },
);

folderTest(
  "what somebody put beside a run that was set aside neither blocks nor is lost",
  async (folder) => {
    await write(folder, OLD, "old");
    await setAside(folder);
    const [aside] = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isDirectory }) =>
      isDirectory
    );
    await write(join(folder, aside.name), ["mine.txt", "look/attention/sheet.png"], "mine");
    await write(folder, ["run.json"], "new");
    for (let start = 0; start < 2; start++) await recoverFolder(folder);
    const found = await filesOf(folder);
    for (const name of OLD) assert.equal(found[name], `old ${name}`);
    assert.equal(found["mine.txt"], "mine mine.txt");
    assert.equal(found["look/attention/sheet.png"], "mine look/attention/sheet.png");
  },
);
