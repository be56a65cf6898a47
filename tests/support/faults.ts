/**
 * Preloaded into runs under test, to break what a test cannot reach: HATCHLING_TEST_FAULT is `nan:N` (the teacher
 * temperature of step N is NaN), `lose:N` (the device is lost before submit N, once), `hang:N` (submit N never
 * returns) or `full:N:PATTERN` (N writes to files whose path matches fail after a few bytes, as on a full disk).
 */
const [kind, number, ...pattern] = (Deno.env.get("HATCHLING_TEST_FAULT") ?? "").split(":");
const n = Number(number);

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

if (kind === "hang") {
  let submits = 0;
  const submit = GPUQueue.prototype.submit;
  GPUQueue.prototype.submit = function (commands) {
    while (submits + 1 === n);
    submits++;
    return submit.call(this, commands);
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
