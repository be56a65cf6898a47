/**
 * What to switch on where there is no WebGPU.
 *
 * @module
 */

/** A browser and what to do there. */
interface Remedy {
  /** Whether it is meant. */
  is(agent: string): boolean;
  /** What to do. */
  text: string;
}

const REMEDIES: readonly Remedy[] = [
  {
    is: (agent) => /Firefox\//.test(agent),
    text:
      "Firefox has WebGPU on Windows from 141 on and on macOS from 145 on. Elsewhere: open about:config, set " +
      "dom.webgpu.enabled and dom.webgpu.workers.enabled to true, and start Firefox anew; on Linux take Nightly.",
  },
  {
    is: (agent) => /(Chrome|Chromium|Edg)\//.test(agent) && /Linux|X11/.test(agent),
    text:
      "Chrome and Edge on Linux: open chrome://flags (edge://flags), enable “Unsafe WebGPU Support” and “Vulkan”, " +
      "and start the browser anew; or start it with --enable-unsafe-webgpu --enable-features=Vulkan. Without a GPU, " +
      "--use-webgpu-adapter=swiftshader takes the processor.",
  },
  {
    is: (agent) => /(Chrome|Chromium|Edg)\//.test(agent),
    text:
      "Chrome and Edge have WebGPU from 113 on (Android from 121 on). Switch on “Use graphics acceleration when " +
      "available” in the settings under System, update the browser and the GPU's driver, and see chrome://gpu.",
  },
  {
    is: (agent) => /Safari\//.test(agent) && !/Chrom|Edg/.test(agent),
    text:
      "Safari has WebGPU from 26 on, on macOS, iOS and iPadOS. In Safari 18: Settings, Apps, Safari, Advanced, " +
      "Feature Flags, WebGPU; on a Mac Develop, Feature Flags, WebGPU.",
  },
];

/** The remedies, those of a browser first; the last one is for all. */
export function remediesFor(agent: string): string[] {
  const own = REMEDIES.filter(({ is }) => is(agent)), [first] = own;
  const all = first ? [first, ...REMEDIES.filter((remedy) => remedy !== first)] : REMEDIES;
  return [
    ...all.map(({ text }) => text),
    "All browsers give WebGPU to secure pages only: https, or http://localhost and http://127.0.0.1.",
  ];
}
