/**
 * Preloaded into runs under test, to break what a test cannot reach: HATCHLING_TEST_FAULT is `nan:N` (the teacher
 * temperature of step N is NaN), `views:N` (those of step N are normalised by NaN), `lose:N` (the device is lost before submit N, once), `hang:N` (submit N never
 * returns), `drop:N:PATTERN` (from step N on every other dispatch of kernels whose names match is not run, so that old
 * bytes stay where its results should be), `old:N` (from step N on a read gives the bytes of the one before it of that
 * size) or `full:N:PATTERN` (N writes to files whose path matches fail after a few bytes, as on a full disk).
 */
const [kind, number, ...pattern] = (Deno.env.get("HATCHLING_TEST_FAULT") ?? "").split(":");
const n = Number(number);

// Submits are counted, and how many it takes to prove kernels depends on what is known of the machine.
if (kind === "hang" || kind === "lose") Deno.env.set("HATCHLING_PROVE", "off");

if (kind === "nan") {
  const write = GPUQueue.prototype.writeBuffer;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, from = 0, size) {
    if (buffer.label === "scalars") {
      const scalars = new Float32Array(data as ArrayBuffer, from, size! / 4).slice();
      if (scalars[0] === n) scalars[2] = NaN;
      return write.call(this, buffer, offset, scalars);
    }
    return write.call(this, buffer, offset, data, from, size);
  };
}

if (kind === "views") {
  let norm: (factor: number) => void = () => {};
  const write = GPUQueue.prototype.writeBuffer;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, from = 0, size) {
    if (buffer.label === "normalization") {
      const values = new Float32Array(data as ArrayBuffer, from, size! / 4).slice();
      norm = (factor) => write.call(this, buffer, offset, values.map((value) => factor * value));
    }
    if (buffer.label === "scalars") {
      norm(new Float32Array(data as ArrayBuffer, from, 1)[0] === n ? NaN : 1);
    }
    return write.call(this, buffer, offset, data, from, size);
  };
}

if (kind === "hang") {
  let submits = 0;
  const submit = GPUQueue.prototype.submit;
  GPUQueue.prototype.submit = function (commands) {
    while (submits + 1 === n);
    submits++;
    return submit.call(this, commands);
  };
}

/** Whether a run has come to step N. */
let reached = false;
if (kind === "drop" || kind === "old") {
  const write = GPUQueue.prototype.writeBuffer;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, from = 0, size) {
    reached ||= buffer.label === "scalars" &&
      new Float32Array(data as ArrayBuffer, from, 1)[0] === n;
    return write.call(this, buffer, offset, data, from, size);
  };
}

if (kind === "drop") {
  const matching = new RegExp(pattern.join(":")), current = new WeakMap<object, string>();
  let count = 0;
  const { setPipeline, dispatchWorkgroups } = GPUComputePassEncoder.prototype;
  GPUComputePassEncoder.prototype.setPipeline = function (pipeline) {
    current.set(this, pipeline.label);
    return setPipeline.call(this, pipeline);
  };
  GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...groups) {
    if (reached && matching.test(current.get(this)!) && ++count % 2) return;
    return dispatchWorkgroups.apply(this, groups);
  };
}

if (kind === "old") {
  const before = new Map<number, ArrayBuffer>(), { getMappedRange } = GPUBuffer.prototype;
  GPUBuffer.prototype.getMappedRange = function (offset, size) {
    const bytes = getMappedRange.call(this, offset, size);
    if (this.label !== "staging") return bytes;
    const old = before.get(bytes.byteLength);
    before.set(bytes.byteLength, bytes.slice(0));
    return reached && old ? old : bytes;
  };
}

if (kind === "lose") {
  let submits = 0;
  const devices = new WeakMap<GPUQueue, GPUDevice>();
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (options) {
    const device = await request.call(this, options);
    devices.set(device.queue, device);
    return device;
  };
  const submit = GPUQueue.prototype.submit;
  GPUQueue.prototype.submit = function (commands) {
    if (++submits === n) devices.get(this)!.destroy();
    return submit.call(this, commands);
  };
}

if (kind === "full") {
  const matching = new RegExp(pattern.join(":")), files = new WeakSet<Deno.FsFile>();
  const { open } = Deno, { write } = Deno.FsFile.prototype;
  Deno.open = async (path, options) => {
    const file = await open(path, options);
    if (matching.test(String(path))) files.add(file);
    return file;
  };
  let failed = 0, partly = false;
  Deno.FsFile.prototype.write = function (bytes) {
    if (!files.has(this) || failed >= n) return write.call(this, bytes);
    partly = !partly;
    if (partly) return write.call(this, bytes.subarray(0, 9));
    failed++;
    return Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
  };
}
