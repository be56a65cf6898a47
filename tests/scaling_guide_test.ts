/** docs/guides/scaling.md and docs/examples/cluster: files that can be used, commands that exist, figures that are current. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import deno from "../deno.json" with { type: "json" };
import dockerfile from "../docs/examples/cluster/Dockerfile" with { type: "text" };
import hostfile from "../docs/examples/cluster/hostfile" with { type: "text" };
import mpijob from "../docs/examples/cluster/mpijob.yaml" with { type: "text" };
import sbatch from "../docs/examples/cluster/train.sbatch" with { type: "text" };
import guide from "../docs/guides/scaling.md" with { type: "text" };
import readme from "../README.md" with { type: "text" };
import { sections } from "../lib/config/describe.ts";
import { HOST, sumSeconds } from "../lib/plan/ranks.ts";
import { parseRate } from "../lib/plan/units.ts";
import { lacksAdapter } from "./support/gpu.ts";
import { lacks, testUnless } from "./support/permissions.ts";
import { HANG_MS } from "./support/hang.ts";

const path = (relative: string) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) =>
    code.trim()
  );

async function run(program: string, args: string[], stdin?: string) {
  const child = new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(HANG_MS),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin ?? ""));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("the hostfile is a list of hosts and slots, as OpenMPI reads it", () => {
  const lines = hostfile.split("\n").filter((line) => line && !line.startsWith("#"));
  assert.ok(lines.length >= 2);
  for (const line of lines) assert.match(line, /^[a-z][a-z0-9.-]* slots=[1-9]\d*$/);
  assert.equal(new Set(lines.map((line) => line.split(" ")[0])).size, lines.length);
});

testUnless([lacks("run", "read")], "train.sbatch is a script for bash and sbatch", async () => {
  const { code, stderr } = await run("bash", ["-n"], sbatch);
  assert.equal(code, 0, stderr);
  const lines = sbatch.split("\n");
  assert.equal(lines[0], "#!/bin/bash");
  const options = lines.flatMap((line) => /^#SBATCH (.*)$/.exec(line)?.[1] ?? []);
  for (const option of options) assert.match(option, /^--[a-z-]+=\S+$/);
  // sbatch looks for options up to the first command.
  const first = lines.findIndex((line) => line && !line.startsWith("#"));
  assert.ok(lines.slice(first).every((line) => !line.startsWith("#SBATCH")));
  const signal = options.find((option) => option.startsWith("--signal="))!;
  assert.match(signal, /^--signal=B:USR2@\d+$/);
  assert.ok(lines.includes(`trap 'kill -USR2 "$run"' USR2`));
});

testUnless(
  [lacks("run", "read", "write")],
  "train.sbatch starts mpirun, resumes in its folder, and hands SIGUSR2 and the status on",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      // Stands for mpirun: tells its arguments, makes the folder of a run, waits for the signal.
      await Deno.writeTextFile(
        `${folder}/mpirun`,
        `#!/bin/bash
echo "mpirun $*"
trap 'echo "saved"; exit 140' USR2
out=$(echo "$*" | sed 's/.*--out \\([^ ]*\\).*/\\1/'); mkdir -p "$out"; touch "$out/config.yaml"
for i in $(seq 1 300); do sleep 0.1; [ $i = 5 ] && kill -USR2 $PPID; done
`,
        { mode: 0o755 },
      );
      const script = path("docs/examples/cluster/train.sbatch");
      const start = `cd "$0" && PATH="$0:$PATH" SLURM_JOB_NAME=x SLURM_JOB_ID=7 exec bash "$@"`;
      for (const resume of ["", " --resume"]) {
        const { code, stdout, stderr } = await run(
          "sh",
          ["-c", start, folder, script, "a.yaml", "--data.path", "p"],
        );
        const args = `a.yaml --data.path p --out runs/x-7${resume}`;
        const launch = "mpirun --map-by slot --bind-to none deno task train";
        assert.deepEqual([code, stdout], [140, `${launch} ${args}\nsaved\n`], stderr);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

testUnless(
  [lacks("read")],
  "mpijob.yaml is an MPIJob of the MPI operator whose ranks fit its workers",
  () => {
    const job = parse(mpijob);
    assert.deepEqual([job.apiVersion, job.kind], ["kubeflow.org/v2beta1", "MPIJob"]);
    assert.match(job.metadata.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    const known = [
      ...["slotsPerWorker", "runLauncherAsWorker", "runPolicy", "mpiReplicaSpecs"],
      ...["sshAuthMountPath", "launcherCreationPolicy", "mpiImplementation"],
    ];
    for (const key of Object.keys(job.spec)) assert.ok(known.includes(key), key);
    assert.equal(job.spec.mpiImplementation, "OpenMPI");
    assert.ok(["AtStartup", "WaitForWorkersReady"].includes(job.spec.launcherCreationPolicy));
    const { Launcher: launcher, Worker: worker, ...others } = job.spec.mpiReplicaSpecs;
    assert.deepEqual([launcher.replicas, others], [1, {}]);
    const [first] = launcher.template.spec.containers, [rank] = worker.template.spec.containers;
    const [script] = first.args;
    assert.deepEqual(first.command, ["sh", "-c"]);
    assert.equal(
      Number(/mpirun -np (\d+)/.exec(script)![1]),
      worker.replicas * job.spec.slotsPerWorker,
    );
    assert.equal(rank.resources.limits["nvidia.com/gpu"], job.spec.slotsPerWorker);
    assert.equal(first.image, rank.image);
    for (const { template } of [launcher, worker]) {
      const { containers: [container], volumes } = template.spec;
      const names = volumes.map(({ name }: { name: string }) => name);
      for (const { name } of container.volumeMounts) assert.ok(names.includes(name), name);
    }
    assert.ok(existsSync(path(/train (configs\/\S+\.yaml)/.exec(script)![1])));
  },
);

Deno.test("the image has the Deno that the README names", () => {
  const version = /deno@(\d+\.\d+\.\d+)/.exec(readme)![1];
  assert.ok(dockerfile.includes(`denoland/deno:bin-${version}`));
  assert.match(dockerfile, /^FROM mpioperator\/openmpi:v\d/m);
});

testUnless([lacks("read")], "the guide's commands, files and keys exist", () => {
  const commands = blocks("sh").join("\n");
  for (const [, task] of guide.matchAll(/deno task ([\w:]+)/g)) {
    assert.ok(task in deno.tasks, `no task ${task}`);
  }
  const files = [
    ...[...commands.matchAll(/(?:configs|docs)\/[\w./-]+\w/g)].map(([file]) => file),
    ...[...guide.matchAll(/\]\((\.\.\/\S*?|\w\S*?)(?:#\S*)?\)/g)].map(([, link]) =>
      `docs/guides/${link}`
    ),
  ];
  assert.ok(files.length > 10);
  for (const file of files) assert.ok(existsSync(path(file)), file);
  const keys = sections().flatMap((section) => section.keys.map(({ path }) => path));
  const areas = sections().map(({ name }) => name).join("|");
  for (const [, key] of guide.matchAll(new RegExp(`\`((?:${areas})\\.\\w+)`, "g"))) {
    assert.ok(keys.includes(key), `no key ${key}`);
  }
});

Deno.test("the model's column beside what was measured is the model's", () => {
  const rows = [...guide.matchAll(/^\| (\d) +\| (\d+) Mbit\/s \| (\d) ms +\| (\d+) ms \|/gm)];
  assert.equal(rows.length, 7);
  const bytes = 4 * 2 ** 20;
  for (const [row, ranks, rate, delay, ms] of rows) {
    const network = { bytesPerSecond: parseRate(`${rate}mbit`), latency: Number(delay) / 1000 };
    const seconds = sumSeconds(Number(ranks), bytes, network) + bytes / HOST.bytesPerSecond.f32;
    assert.equal(Number(ms), Math.round(1000 * seconds), row);
  }
});

testUnless(
  [lacksAdapter, lacks("run", "read", "env", "ffi", "sys")],
  "the guide's tables are what its commands print",
  async () => {
    const commands = blocks("sh").filter((command) => command.startsWith("deno task plan "));
    const tables = blocks("text").filter((text) => text.trimStart().startsWith("ranks  pictures"));
    assert.deepEqual([commands.length, tables.length], [2, 2]);
    for (const [i, command] of commands.entries()) {
      const args = command.split(" ").slice(3);
      const { code, stdout, stderr } = await run(
        Deno.execPath(),
        [
          "run",
          "--quiet",
          "-A",
          path("scripts/plan.ts"),
          args[0].replace(/^/, path("")),
          ...args.slice(1),
        ],
      );
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes(`\n${tables[i]}\n`), `run ${command}\n${stdout}`);
    }
  },
);
