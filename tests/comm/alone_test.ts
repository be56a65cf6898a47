/** A comm of one rank, the limits of waits, and every refusal in words: no library and no permission is needed. */
import assert from "node:assert/strict";
import { aloneComm, openComm } from "../../lib/comm.ts";
import { algorithmFor } from "../../lib/comm/algorithm.ts";
import { LAUNCH_VARIABLES, launchOf } from "../../lib/comm/launch.ts";
import { checkVersion, libraryRefusal, loadMpi } from "../../lib/comm/library.ts";
import { poll, within } from "../../lib/comm/wait.ts";
import { lacks, testUnless } from "../support/permissions.ts";

const MPIRUN = {
  OMPI_COMM_WORLD_RANK: "2",
  OMPI_COMM_WORLD_SIZE: "3",
  OMPI_COMM_WORLD_LOCAL_RANK: "1",
};

Deno.test("without mpirun there is one rank, whose sums are its numbers", async () => {
  const comm = await openComm({ env: {} });
  assert.deepEqual([comm.rank, comm.size, comm.localRank, comm.implementation], [0, 1, 0, ""]);
  const values = new Float32Array([1, -0, 3]);
  await comm.allreduceSum(values);
  await comm.broadcast(values);
  await comm.barrier({ timeoutMs: 1 });
  assert.deepEqual(values, new Float32Array([1, -0, 3]));
  const bytes = new Uint8Array([1, 2]);
  const [own] = await comm.gather(bytes);
  assert.deepEqual(own, bytes);
  assert.notEqual(own.buffer, bytes.buffer);
  for (const same of [await comm.alltoall(bytes), await comm.allgather(bytes)]) {
    assert.deepEqual(same, bytes);
    assert.notEqual(same.buffer, bytes.buffer);
  }
  await comm.close();
  await comm.close();
  await assert.rejects(comm.barrier(), /^HatchlingError: barrier: the comm is closed/);
});

Deno.test("what no rank could do is refused alone too", async () => {
  const comm = aloneComm(), values = new Float32Array(1);
  await assert.rejects(comm.broadcast(values, 1), /root: expected a rank of 0 to 0 but found 1/);
  await assert.rejects(comm.gather(new Uint8Array(1), -1), /root: .* found -1/);
  for (const timeoutMs of [0, -1, NaN, Infinity]) {
    await assert.rejects(comm.barrier({ timeoutMs }), /timeoutMs: expected .* found/);
    await assert.rejects(openComm({ timeoutMs, env: {} }), /timeoutMs: expected .* found/);
  }
  for (const silenceMs of [-1, 1, 2999, NaN, Infinity]) {
    await assert.rejects(openComm({ silenceMs, env: {} }), /silenceMs: expected 0 or .* found/);
  }
  await (await openComm({ silenceMs: 0, env: {} })).close();
  for (const status of [0, 256, 1.5]) {
    await assert.rejects(comm.abort(status), /status of abort: expected 1 to 255/);
  }
  const resizable = new Float32Array(new ArrayBuffer(4, { maxByteLength: 8 }));
  await assert.rejects(comm.allreduceSum(resizable), /resizable buffer: copy it with slice/);
  structuredClone(values, { transfer: [values.buffer] });
  await assert.rejects(comm.allreduceSum(values), /detached buffer/);
});

Deno.test("the environment tells of mpirun, of nobody, or of another launcher", () => {
  assert.deepEqual(launchOf(MPIRUN), { rank: 2, size: 3, localRank: 1 });
  assert.deepEqual(launchOf({ ...MPIRUN, PMIX_RANK: "2" }), { rank: 2, size: 3, localRank: 1 });
  assert.equal(launchOf({ HOME: "/" }), undefined);
  for (const name of ["PMIX_RANK", "PMI_RANK"]) {
    assert.throws(() => launchOf({ [name]: "0\x1b" }), {
      name: "HatchlingError",
      message: new RegExp(`found ${name}=0\\\\x1b alone.*mpirun of OpenMPI, or unset ${name}`),
    });
  }
});

Deno.test("odd numbers of mpirun are refused by name", () => {
  for (const name of LAUNCH_VARIABLES.filter((name) => name in MPIRUN)) {
    for (const value of ["", "-1", "x", "1.5", "99999999999", undefined]) {
      const found = value === undefined ? "none" : `"${value}"`;
      const message = new RegExp(
        `^Environment, OMPI_\\w+: expected a whole number .* found ${found}`,
      );
      assert.throws(() => launchOf({ ...MPIRUN, [name]: value }), {
        name: "HatchlingError",
        message,
      });
    }
  }
  assert.throws(
    () => launchOf({ ...MPIRUN, OMPI_COMM_WORLD_RANK: "3" }),
    /of 0 to 2 but found "3"/,
  );
});

Deno.test("powers of two and many ranks add up by halving, others by a ring", () => {
  const of = (sizes: number[]) => sizes.map(algorithmFor);
  assert.deepEqual(new Set(of([2, 4, 8, 512, 65, 96])), new Set(["halving"]));
  assert.deepEqual(new Set(of([3, 5, 6, 12, 48, 63])), new Set(["ring"]));
});

Deno.test("a library that is missing, MPICH's or too old is refused with what to do", () => {
  const missing = libraryRefusal("libmpi.so.40", "no such file\n");
  assert.match(
    missing.message,
    /libmpi\.so\.40 but it cannot be loaded: no such file\\x0a: install/,
  );
  const mpich = libraryRefusal("libmpi.so.40", "no such file", "libmpi.so.12");
  assert.match(
    mpich.message,
    /found libmpi\.so\.12, .* MPICH .*: install OpenMPI.*LD_LIBRARY_PATH/,
  );
  assert.equal(checkVersion("Open MPI v4.1.4, package: Debian"), "Open MPI v4.1.4");
  assert.equal(checkVersion("Open MPI v5.0.7rc1, package: x"), "Open MPI v5.0.7rc1");
  for (const text of ["Open MPI v3.1.3, package", "MPICH Version: 4.2\nx", ""]) {
    assert.throws(
      () => checkVersion(text),
      /calls itself Open MPI v4 or later but found ".*": inst/,
    );
  }
  assert.throws(() => loadMpi("windows"), /expected Linux or macOS.* found windows/);
});

testUnless(
  [lacks("ffi"), Deno.build.os === "linux" ? "" : "a library of Linux is looked for"],
  "the library is looked for, and then MPICH's",
  () => {
    const open = "libhatchling-none.so.40",
      load = (name: string) => () =>
        loadMpi("linux", { open, mpich: ["libhatchling-none.so.12", name] });
    assert.throws(
      load("libhatchling-none.so.1"),
      /none\.so\.40 but it cannot be loaded: .*none\.so/,
    );
    assert.throws(
      load("libc.so.6"),
      /none\.so\.40 but found libc\.so\.6, which has the interface of/,
    );
  },
);

testUnless(
  [lacks("env", "ffi") ? "" : "needs to lack a permission"],
  "without permission it is said which one",
  async () => {
    if (lacks("env")) await assert.rejects(openComm(), /start Deno with --allow-env=OMPI_COMM_/);
    if (lacks("ffi")) await assert.rejects(openComm({ env: MPIRUN }), /--allow-ffi/);
  },
);

Deno.test("a wait ends at its limit, lets timers run, and passes on what fails", async () => {
  const begin = performance.now();
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  assert.equal(await poll(() => false, begin + 300), false);
  clearInterval(timer);
  assert.ok(performance.now() - begin >= 300 && ticks > 5, `${ticks} ticks`);
  const failing = () => {
    throw new Error("lost");
  };
  await assert.rejects(poll(failing, begin + 1e4), /lost/);
  assert.equal(await within(Promise.resolve(3), "x", 1000), 3);
  await assert.rejects(within(new Promise(() => {}), "openComm", 20), {
    name: "HatchlingError",
    message: /^openComm: expected all ranks to take part within 0.02 s/,
  });
});
