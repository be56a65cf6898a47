/** What happens to ranks of a run from outside: signals to mpirun, its death, a rank that is stopped. */
import assert from "node:assert/strict";
import { listCheckpoints, loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { gone } from "../support/mpirun.ts";
import { alike, ranksRunTest, startRanks, trainRanks } from "../support/ranks.ts";
import { appears, flags } from "../support/runs.ts";

const ENDLESS = flags({
  "training.num_epochs": 100_000,
  "checkpoint.save_every_n_epochs": "null",
  "evaluation.view_retrieval": "false",
});

/** Processes of the ranks that work in a folder, by rank. */
function ranksIn(folder: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    try {
      if (Deno.readLinkSync(`/proc/${name}/cwd`) !== folder) continue;
      const variables = Deno.readTextFileSync(`/proc/${name}/environ`);
      const rank = variables.match(/\0OMPI_COMM_WORLD_RANK=(\d+)\0/)?.[1];
      if (rank !== undefined) found[Number(rank)] = Number(name);
    } catch {
      // no process, or gone meanwhile
    }
  }
  return found;
}

ranksRunTest(
  "SIGUSR2 to mpirun saves once, however long that takes, and the run goes on from there",
  async (folder, small) => {
    const run = startRanks(folder, [...small, ...ENDLESS, "--out", "run"], alike(2));
    await appears(`${folder}/run/metrics.jsonl`);
    run.child.kill("SIGUSR2");
    const { code, stderr } = await run.ended;
    assert.equal(code, 140, stderr);
    assert.equal(stderr.match(/SIGUSR2: stopping and saving/g)?.length, 1, stderr);
    const [{ step }] = await listCheckpoints(`${folder}/run`);
    assert.match(stderr, new RegExp(`stopped by SIGUSR2 after step ${step}; go on with --resume`));
    const more = flags({ "training.max_steps": step + 2 });
    const rest = await trainRanks(
      folder,
      [...small, ...ENDLESS, ...more, "--out", "run", "--resume"],
      alike(2),
    );
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, new RegExp(`resuming after step ${step}`));
  },
);

ranksRunTest("SIGTERM to mpirun ends all; what was saved is sound", async (folder, small) => {
  const often = flags({ "checkpoint.save_every_n_iters": 1 });
  const run = startRanks(folder, [...small, ...ENDLESS, ...often, "--out", "run"], alike(2));
  await appears(`${folder}/run/metrics.jsonl`);
  const pids = ranksIn(folder);
  assert.equal(pids.length, 2);
  run.child.kill("SIGTERM");
  const { code, stderr } = await run.ended;
  assert.notEqual(code, 0, stderr);
  // mpirun leaves a second: on a busy machine that is over before anything is said.
  assert.ok((stderr.match(/SIGTERM: stopping and saving/g) ?? []).length <= 1, stderr);
  await gone(pids);
  for (const { path } of await listCheckpoints(`${folder}/run`)) await loadCheckpoint(path);
});

ranksRunTest("ranks end when mpirun is killed", async (folder, small) => {
  const run = startRanks(folder, [...small, ...ENDLESS, "--out", "run"], alike(2));
  await appears(`${folder}/run/metrics.jsonl`);
  const pids = ranksIn(folder);
  assert.equal(pids.length, 2);
  run.child.kill("SIGKILL");
  await gone(pids);
  await run.ended;
});

ranksRunTest("a rank that is stopped ends the run, and is named", async (folder, small) => {
  const run = startRanks(folder, [...small, ...ENDLESS, "--out", "run"], alike(2));
  await appears(`${folder}/run/metrics.jsonl`);
  const pids = ranksIn(folder);
  Deno.kill(pids[1], "SIGSTOP");
  const { code, stderr } = await run.ended;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /error: Expected a sign of life of rank 1 on .* is stopped \(SIGSTOP\)/);
  await gone(pids);
});
