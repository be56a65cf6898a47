/**
 * Why a device was lost, as far as can be told from what it was doing.
 *
 * @module
 */
import { DeviceError } from "../errors.ts";
import { type AdapterNames, isSoftwareAdapter } from "./software.ts";
import { kernelsOf, type Pace, type Submission } from "./pace.ts";

/** What is known of a device that was lost. */
export interface LostDevice {
  /** Who made it. */
  readonly info: AdapterNames;
  /** What ran on it. */
  readonly pace: Pick<Pace, "last" | "longest" | "longestFirst" | "maxMs">;
  /** What was in its memory. */
  readonly memory: { readonly liveBytes: number; readonly peakBytes: number };
}

/** Who ends work that lasts too long, by system and maker; after how many milliseconds, where that is known. */
const WATCHDOGS: readonly [system: RegExp, maker: RegExp, who: string, afterMs: number][] = [
  [/^win/i, /./, "Windows' watchdog (TDR) resets a GPU whose work lasts 2 s", 2000],
  [/^(mac|darwin)/i, /./, "Metal ends command buffers that last some seconds", 2000],
  [
    /linux/i,
    /amd|radeon|0x1002/i,
    "Linux' amdgpu driver resets a ring that stands still for 10 s, in some versions 2 s",
    2000,
  ],
  [
    /linux/i,
    /intel|0x8086/i,
    "Linux' drivers for Intel reset an engine that hangs for 0.6 to 7.5 s",
    600,
  ],
  [
    /linux/i,
    /nvidia|0x10de/i,
    "NVIDIA's driver ends work of some seconds where the GPU drives a screen",
    2000,
  ],
];

const OUT_OF_MEMORY = /out of (device |host |video )?memory|OUT_OF_\w*MEMORY|E_OUTOFMEMORY|alloc/i;

/** The error of a device that was lost, with the likely cause and what to do. */
export function lossError(
  device: LostDevice,
  { reason, message }: Pick<GPUDeviceLostInfo, "reason" | "message">,
  platform = globalThis.navigator?.platform ?? "",
): DeviceError {
  const { info, memory, pace: { last, longest, longestFirst, maxMs } } = device;
  const { cause, remedy } = likely(device, message, platform);
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const facts = [
    last && `last submission: ${durationOf(last)} (${kernelsOf(last)})`,
    `longest one before: ${
      Math.max(longest?.ms ?? 0, longestFirst?.ms ?? 0).toFixed(0)
    } ms, aim ${maxMs} ms`,
    `tensors: ${mib(memory.liveBytes)}, at most ${mib(memory.peakBytes)}`,
    `adapter: ${info.description || info.vendor || "unnamed"}`,
  ].filter(Boolean);
  return new DeviceError(
    `The GPU device was lost (${reason}): ${
      message || "no reason given"
    }. Likely cause: ${cause}. ` +
      `Known: ${facts.join("; ")}. What to do: ${remedy}, then resume from the last checkpoint`,
  );
}

function likely({ info, pace, memory }: LostDevice, message: string, platform: string) {
  if (OUT_OF_MEMORY.test(message)) {
    return {
      cause: "the GPU ran out of memory",
      remedy:
        "lower data.batch_size or augmentation.num_local_views, set training.recompute, or end other " +
        "programs that use the GPU",
    };
  }
  const { last, longest, longestFirst, maxMs } = pace;
  const ms = Math.max(last?.ms ?? last?.expected ?? 0, longest?.ms ?? 0, longestFirst?.ms ?? 0);
  const dog = WATCHDOGS.find(([system, maker]) =>
    system.test(platform) && maker.test(`${info.vendor} ${info.description}`)
  );
  if (isSoftwareAdapter(info)) {
    return {
      cause: "the software driver ended, which has no watchdog: often the machine's memory is full",
      remedy: `look at the system's log for a process that was ended (${
        Math.round(memory.liveBytes / 2 ** 20)
      } MiB of tensors lay in its memory) and lower data.batch_size`,
    };
  }
  const lower = `set device.max_submit_ms to ${Math.max(5, Math.round(maxMs / 4))}`;
  if (dog && ms >= dog[3] / 2) {
    return {
      cause: `a watchdog, as a submission of ${ms.toFixed(0)} ms ran: ${dog[2]}`,
      remedy: lower,
    };
  }
  if (/hang|hung|timeout|timed out|TDR|watchdog/i.test(message)) {
    return {
      cause: `a watchdog, by the driver's own words${dog ? `: ${dog[2]}` : ""}`,
      remedy: lower,
    };
  }
  return {
    cause:
      "the driver was reset or updated, the GPU was taken away or went to sleep, or a kernel hung; no submission " +
      "was long enough for a watchdog",
    remedy:
      `look at the system's log for the driver's message; if it comes again, run deno task prove and ${lower}`,
  };
}

function durationOf({ expected, ms }: Submission): string {
  return ms === undefined ? `${expected.toFixed(0)} ms expected` : `${ms.toFixed(0)} ms`;
}
