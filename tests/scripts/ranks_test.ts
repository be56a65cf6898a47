/** What ranks say to each other, without processes of their own. */
import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { adapterOfRank } from "../../scripts/train/ranks/device.ts";
import { ask, order, serve } from "../../scripts/train/ranks/duties.ts";
import type { RankParts } from "../../scripts/train/ranks/parts.ts";
import { placesText } from "../../scripts/train/ranks/lead.ts";
import { receive, send } from "../../scripts/train/ranks/message.ts";
import {
  checkReady,
  checkSame,
  differences,
  type Identity,
  type Readiness,
} from "../../scripts/train/ranks/same.ts";
import { ownConfig, settingsSaid } from "../../scripts/train/ranks/settings.ts";
import { checkHashes } from "../../scripts/train/ranks/state.ts";
import { Ended, RankError, Team } from "../../scripts/train/ranks/team.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { Pictures } from "../../scripts/train/pictures.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import jpeg from "../data/fixtures/progressive.jpg" with { type: "bytes" };
import { put } from "../data/support.ts";
import { commsOf } from "../support/comms.ts";
import { folderTest } from "../support/permissions.ts";
import { path, pictures } from "../support/runs.ts";

const teams = (size: number) =>
  Promise.all(commsOf(size).map((comm) => Team.open(comm, `m${comm.rank}`)));

Deno.test("messages of any length come as they are", async () => {
  const [first, second] = commsOf(2);
  for (const length of [0, 1000, 1016, 1017, 1018, 1019, 50_000]) {
    const text = "é".repeat(length / 2) + "x".repeat(length % 2);
    const [, heard] = await Promise.all([send(first, text), receive(second)]);
    assert.equal(heard, text);
  }
});

/** Parts of a rank of which a duty asks the canaries alone. */
function partsOf(team: Team, canaries: () => string | undefined): RankParts {
  const gpu = { info: {}, isSoftware: true, read: () => Promise.resolve([]) };
  const stepper = {
    canaries: {
      counts: {},
      sound: false,
      outputs: [],
      run: () => {},
      check: () => {
        const text = canaries();
        return text && { text, kernel: "k", canary: "known answer" };
      },
    },
  };
  return { team, gpu, stepper, guard: { rest: () => {} } } as unknown as RankParts;
}

Deno.test("what rank 0 asks all ranks do, and their answers come by rank, until it ends", async () => {
  const [lead, ...others] = await teams(3);
  const served = others.map((team, i) =>
    serve(partsOf(team, () => i ? "wrong here" : undefined)).catch((error) => error)
  );
  const parts = partsOf(lead, () => undefined);
  const found = await ask(parts, "canaries", null);
  assert.deepEqual(found.map((fault) => fault?.text), [undefined, undefined, "wrong here"]);
  assert.equal(await order(parts, "canaries", null), undefined);
  await lead.end(7);
  for (const ended of await Promise.all(served)) {
    assert.ok(ended instanceof Ended);
    assert.equal(ended.status, 7);
  }
});

Deno.test("a rank that cannot answer is named, and all stay in step", async () => {
  const [lead, other] = await teams(2);
  const sick = () => {
    throw new HatchlingError("no memory");
  };
  let isSick = true;
  const served = serve(partsOf(other, () => isSick ? sick() : undefined)).catch((error) => error);
  const refused = await ask(partsOf(lead, () => undefined), "canaries", null)
    .catch((error) => error);
  assert.ok(refused instanceof RankError);
  assert.equal(refused.message, "rank 1 on m1: no memory");
  isSick = false;
  await assert.rejects(ask(partsOf(lead, sick), "canaries", null), /^HatchlingError: no memory$/);
  assert.deepEqual(await ask(partsOf(lead, () => undefined), "canaries", null), [
    undefined,
    undefined,
  ]);
  await lead.end(0);
  assert.ok(await served instanceof Ended);
});

Deno.test("a rank whose part of a step fails throws: the others cannot wait for it", async () => {
  const [lead, other] = await teams(2);
  const served = serve(partsOf(other, () => {
    throw new HatchlingError("no memory");
  }));
  await Promise.all([
    assert.rejects(served, /no memory/),
    order(partsOf(lead, () => undefined), "canaries", null),
  ]);
});

Deno.test("one rank by itself sends nothing, and has no name", async () => {
  const team = Team.alone();
  assert.equal(team.ranksFor(parseConfig("{}")), undefined);
  assert.equal(team.said("so it is"), "so it is");
  const found = await ask(partsOf(team, () => "wrong"), "canaries", null);
  assert.deepEqual(found.map((fault) => fault?.text), ["wrong"]);
});

const SAME: Identity = {
  code: { version: "1.0.0", commit: "aaaaaaaaaaaaaaaa" },
  settings: [["data.batch_size", 8], ["data.path", "a"], ["device.adapter", "0"]],
  pictures: { count: 9, fingerprint: "f" },
};

Deno.test("ranks are told apart by code, settings and pictures, but not by what is their machine's", async () => {
  const [team] = await teams(2);
  const other = (change: Partial<Identity>) => differences(SAME, { ...SAME, ...change });
  assert.deepEqual(
    other({ settings: [["data.batch_size", 8], ["data.num_workers", 2], ["data.path", "b"]] }),
    [],
  );
  assert.deepEqual(other({ settings: [["optimizer.lr", 1]] }), [
    "data.batch_size: no value instead of 8",
    "optimizer.lr: 1 instead of no value",
  ]);
  assert.deepEqual(other({ code: { version: "1.0.0" } }), []);
  assert.deepEqual(other({ code: { version: "1.0.0", commit: "b" } }), [
    "Hatchling 1.0.0 (b) instead of 1.0.0 (aaaaaaaaaa)",
  ]);
  assert.deepEqual(other({ pictures: { count: 8, fingerprint: "f" } }), [
    "8 pictures instead of 9",
  ]);
  assert.match(other({ pictures: { count: 9, fingerprint: "g" } })[0], /^other pictures/);
  checkSame(team, [SAME, SAME]);
  const code = { version: "2.0.0" };
  assert.throws(() => checkSame(team, [SAME, { ...SAME, code }]), (error: Error) => {
    assert.ok(error instanceof RankError);
    assert.match(
      error.message,
      /rank 0 on m0 has .*\n {2}rank 1 on m1: Hatchling 2\.0\.0/,
    );
    return true;
  });
});

Deno.test("a rank takes rank 0's configuration, but what is about its machine from its own", () => {
  const config = parseConfig("{data: {path: there, num_workers: 3}, optimizer: {lr: 0.25}}");
  const said = new Map<string, unknown>([["data.path", "here"], ["data.cache_bytes", 5], [
    "optimizer.lr",
    1,
  ]]);
  const { data, optimizer } = ownConfig(config, said);
  assert.deepEqual([data.path, data.num_workers, data.cache_bytes], ["here", 3, 5]);
  assert.equal(optimizer.lr, 0.25);
  assert.deepEqual(ownConfig(config, new Map()), config);
});

Deno.test("ranks with another model are refused, those with other kernels are told", async () => {
  const [team] = await teams(2);
  const kernels = {
    adapter: "A",
    deno: "2",
    subgroups: 8,
    choices: { rows: "64", precision: "f32" },
  };
  const first: Readiness = { kernels, weights: "w" };
  assert.deepEqual(checkReady(team, [first, first]), []);
  const other = { ...kernels, adapter: "B", choices: { ...kernels.choices, rows: "32" } };
  const [warning] = checkReady(team, [first, { ...first, kernels: other }]);
  assert.match(warning, /computes with adapter B instead of A, rows by 32 instead of 64:/);
  assert.throws(() => checkReady(team, [first, { ...first, weights: "v" }]), RankError);
});

Deno.test("weights that differ end a run, with the ranks in the minority", async () => {
  const [team] = await teams(3);
  const a = { student: "a", teacher: "t" }, b = { student: "b", teacher: "t" };
  checkHashes(team, 4, [a, a, a]);
  const refused = (all: typeof a[], words: RegExp) =>
    assert.throws(() => checkHashes(team, 4, all), (error: Error) => words.test(error.message));
  refused([a, b, a], /after step 4 .*found others on rank 1 on m1 \(student\)/);
  refused([b, a, a], /found others on rank 0 on m0 \(student\)/);
  refused(
    [a, b, { student: "c", teacher: "u" }],
    /on rank 1 on m1, rank 2 on m2 \(student and teacher\)/,
  );
});

Deno.test("ranks of a machine take its GPUs in turn, and share one, or a CPU", () => {
  const of = (...cpus: boolean[]) => cpus.map((isCpu) => ({ isCpu }));
  const several = of(false, true, false);
  assert.deepEqual([0, 1, 2, 3].map((rank) => adapterOfRank(several, rank)), ["0", "2", "0", "2"]);
  assert.equal(adapterOfRank(of(false, true), 1), null);
  assert.equal(adapterOfRank(of(true, true), 1), null);
});

Deno.test("where ranks run is told by machine and adapter", () => {
  const place = (host: string, adapter: string) => ({ host, adapter });
  assert.equal(
    placesText([place("a", "X"), place("b", "X"), place("a", "X")]),
    "3 ranks: 2 on a (X), 1 on b (X)",
  );
});

folderTest(
  "a damaged picture is named and listed once, whichever ranks find it",
  async (folder) => {
    const path = await pictures(folder);
    await put(folder, "pictures/odd/cut.jpg", jpeg.subarray(0, jpeg.length / 2));
    let said = "";
    const writeSync = (bytes: Uint8Array) => {
      said += new TextDecoder().decode(bytes);
      return bytes.length;
    };
    const progress = new Progress({ isTerminal: () => false, writeSync });
    const config = parseConfig(
      `data: {path: ${JSON.stringify(path)}, cache_bytes: 5000, num_workers: 1}`,
    );
    await using lead = await Pictures.open(config, progress);
    await using other = await Pictures.open(config, progress);
    await using files = new SideFiles(folder, { say: () => {} });
    await lead.keep(files, []);
    const { dataset } = other;
    const cut = Array.from({ length: dataset.length }, (_, i) => i)
      .find((i) => dataset.id(i).includes("cut"))!;
    await assert.rejects(async () => await dataset.picture(cut));
    const found = other.takeDamaged();
    assert.equal(found.length, 1);
    assert.deepEqual(other.takeDamaged(), []);
    lead.add(found);
    lead.nameSkipped();
    await assert.rejects(async () => await lead.dataset.picture(cut)); // and finds it itself
    lead.nameSkipped();
    lead.add(found);
    lead.nameSkipped();
    assert.deepEqual(lead.leftOut, { skipped: 1, damaged: 1 });
    assert.equal(said.match(/^skipped: .*cut\.jpg/gm)?.length, 1);
    await files.close();
    const rows = Deno.readTextFileSync(`${folder}/skipped.jsonl`).trim().split("\n");
    assert.deepEqual(rows.map((row) => JSON.parse(row)), [{ ...found[0], late: true }]);
  },
  ["env"],
);

folderTest(
  "a rank whose command line or file cannot be meant says so, and does not end",
  async (folder) => {
    const file = `${folder}/a.yaml`;
    await Deno.writeTextFile(file, "optimizer: {lr: 1, betta: 2}");
    const wrong: [string[], RegExp][] = [
      [["configs/tiny.yaml", "--model.dimm", "3"], /^HatchlingError: --model.dimm: unknown key/],
      [[file], /a.yaml:1:20: optimizer.betta: unknown key/],
      [["configs/tiny.yaml", "--bogus"], /expected arguments of a run .*unknown option '--bogus'/i],
      [["configs/tiny.yaml", "--help"], /expected arguments of a run/i],
      [[], /expected arguments of a run .*missing required argument 'config'/i],
    ];
    for (const [args, words] of wrong) {
      await assert.rejects(
        settingsSaid(args.map((arg) => arg.startsWith("configs/") ? path(arg) : arg)),
        words,
      );
    }
    const said = await settingsSaid([path("configs/tiny.yaml"), "--optimizer.lr", "2"]);
    assert.equal(said.get("optimizer.lr"), 2);
    assert.equal(said.get("model.dim"), 32);
  },
);
