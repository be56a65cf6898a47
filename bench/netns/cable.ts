/**
 * Long cables between network namespaces, where the kernel has no netem: a process that reads the frames of one device
 * and writes them to another one after a while. What comes the other way is not delayed.
 *
 * It is started in the namespace of the switch as `cable.ts MILLISECONDS DEVICE…`, makes for each DEVICE one of that
 * name and DEVICE-far, says `ready`, and ends when its standard input does.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";

const O_RDWR = 2, O_NONBLOCK = 0o4000, POLLIN = 1;
/** From linux/if_tun.h: the request that names a device; frames, without a header of their own. */
const TUNSETIFF = 0x400454ca, IFF_TAP = 2, IFF_NO_PI = 0x1000;
/** Bytes of the largest frame: 9,000 and what Ethernet adds. */
const FRAME = 9_018;

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  ppoll: {
    parameters: ["buffer", "u64", "buffer", "pointer"],
    result: "i32",
    nonblocking: true,
  },
});

const text = (words: string) => new TextEncoder().encode(`${words}\0`);

/** Makes a device; its file descriptor. */
function device(name: string): number {
  const fd = libc.open(text("/dev/net/tun"), O_RDWR | O_NONBLOCK);
  const request = new Uint8Array(40); // struct ifreq: 16 bytes of name, then the flags
  request.set(text(name));
  new DataView(request.buffer).setInt16(16, IFF_TAP | IFF_NO_PI, true);
  if (fd >= 0 && libc.ioctl(fd, BigInt(TUNSETIFF), request) >= 0) return fd;
  throw new HatchlingError(
    `Expected to make ${name} by /dev/net/tun but could not: it needs root and a kernel with CONFIG_TUN`,
  );
}

const [delayMs, ...names] = Deno.args;
const cables = names.map((name) => ({ near: device(name), far: device(`${name}-far`) }));
console.log("ready");

/** Frames on their way, soonest first. */
const underway: { due: number; to: number; frame: Uint8Array<ArrayBuffer> }[] = [];
const buffer = new Uint8Array(FRAME);

/** Takes all frames that are there. */
function drain(from: number, take: (frame: Uint8Array<ArrayBuffer>) => void): void {
  for (;;) {
    const length = Number(libc.read(from, buffer, BigInt(FRAME)));
    if (length <= 0) return;
    take(buffer.subarray(0, length));
  }
}

let ended = false;
Deno.stdin.read(new Uint8Array(1)).finally(() => ended = true);

const fds = cables.flatMap(({ near, far }) => [near, far]);
const polled = new Int32Array(2 * fds.length); // struct pollfd: fd, then events and revents
fds.forEach((fd, i) => polled.set([fd, POLLIN], 2 * i));
const wait = new BigInt64Array(2); // struct timespec
while (!ended) {
  const now = performance.now();
  while (underway.length && underway[0].due <= now) {
    const { to, frame } = underway.shift()!;
    libc.write(to, frame, BigInt(frame.length));
  }
  for (const { near, far } of cables) {
    const due = performance.now() + Number(delayMs);
    drain(far, (frame) => underway.push({ due, to: near, frame: frame.slice() }));
    drain(near, (frame) => void libc.write(far, frame, BigInt(frame.length)));
  }
  const ms = Math.min(100, Math.max(0, (underway[0]?.due ?? Infinity) - performance.now()));
  wait[1] = BigInt(Math.round(ms * 1e6));
  await libc.ppoll(polled, BigInt(fds.length), wait, null);
}
Deno.exit(0);
