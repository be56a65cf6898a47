/**
 * A small data set that anyone has at hand: the emoji of two vendors, 7,572 pictures of 32 × 32 pixels.
 *
 * Source: npm `emoji-datasource` 16.0.0 (its code and lists under MIT). Pictures: Google's Noto emoji under
 * Apache-2.0, Twitter's Twemoji under CC-BY 4.0 (© Twitter, Inc and other contributors). The other
 * vendors of the package have no free licence and are never read.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { type Dataset, labelsOf, type Progress } from "./dataset.ts";
import type { DecodeChannels } from "./decode.ts";
import { Decoder } from "./decoder.ts";
import { type Picture, planesOf } from "./image.ts";
import { npmPackageDir } from "./npm_package.ts";
import { DATA_PACKAGES } from "./packages.ts";
import { fitWithin, reduceTo } from "./resample.ts";
import { type ExpectedFile, readExpected } from "./unpack.ts";

const { name: PACKAGE, version: VERSION } = DATA_PACKAGES.emoji;
/** Size of a picture, and of the grid it lies in: a transparent pixel surrounds each. */
const CELL = 32, GRID = 34;
const VENDORS = ["google", "twitter"] as const;

/** The list, and the sheet of each vendor. */
const LIST: ExpectedFile = {
  bytes: 1313457,
  sha256: "1d602e65be88772bf8cc368ce16b855d719eeddbafe128d471b80203f494d29f",
};
const SHEETS: Readonly<Record<typeof VENDORS[number], ExpectedFile>> = {
  google: {
    bytes: 5806664,
    sha256: "b417e9f6cd4bbc10656bbfd5e13b6e9a2545b55e6a4cf7312d75be1faaa34952",
  },
  twitter: {
    bytes: 4901480,
    sha256: "2767ef2e87cbfb6cc12ac46596c339549afaf0ae8771cf51100c8853f6bde632",
  },
};

/** The members of the package's list that are used. */
interface Emoji {
  unified: string;
  sheet_x: number;
  sheet_y: number;
  has_img_google: boolean;
  has_img_twitter: boolean;
}

interface BaseEmoji extends Emoji {
  category: string;
  subcategory: string;
  skin_variations?: Record<string, Emoji>;
}

/** Options of {@linkcode openEmoji}. */
export interface EmojiOptions {
  /** Pictures (1,024 pixels) are reduced to at most this many pixels. Default: they are not. */
  maxPixels?: number;
  /** Decoding workers, at least 1; there are two sheets to decode. Default 2. */
  numWorkers?: number;
  /**
   * Channels of the pictures: 3 colour on white, 1 gray, 4 colour and alpha as in the sheets. Default 3.
   */
  channels?: DecodeChannels;
  /** Also the emoji with a skin tone, after the one without. Default true. */
  skinTones?: boolean;
  /** Called after each sheet, with the number done and of all. */
  onProgress?: Progress;
}

/**
 * Opens the emoji; 25 MB are downloaded on first use. All pictures are in memory (31 MB, with alpha 62):
 * Google's, then Twitter's, each in the order of the package's list, skin tones after their base emoji.
 *
 * Ids are vendor and code points ("google/1f600"). Labels: `category` (10), `subcategory` (99), `identity`
 * (3,786; the same emoji of both vendors), `vendor` (2). Without skin tones there are 3,822 pictures of 1,911.
 *
 * @throws {HatchlingError} when the package cannot be downloaded or is not what was expected.
 *
 * @example
 * ```ts ignore
 * import { openEmoji } from "./emoji.ts";
 *
 * const emoji = await openEmoji();
 * console.log(emoji.length, emoji.labels!.category.names);
 * ```
 */
export async function openEmoji(options: EmojiOptions = {}): Promise<Dataset> {
  const { maxPixels = Infinity, channels = 3, numWorkers = 2, skinTones = true, onProgress } =
    options;
  using decoder = new Decoder({ workers: numWorkers, channels });
  const folder = await npmPackageDir(PACKAGE, VERSION);
  const text = await readExpected(folder, "emoji.json", LIST);
  const list: BaseEmoji[] = JSON.parse(new TextDecoder().decode(text));
  const files = await Promise.all(VENDORS.map(async (vendor) => {
    const name = `img/${vendor}/sheets/32.png`;
    return { name, bytes: await readExpected(folder, name, SHEETS[vendor]) };
  }));
  const sheets = await decoder.decodeAll(
    files,
    (done, total) => onProgress?.(done, total, "decoding sheets of emoji"),
  );
  const largest = fitWithin(CELL, CELL, maxPixels);
  const pictures: Picture[] = [], ids: string[] = [];
  const category: string[] = [], subcategory: string[] = [], identity: string[] = [];
  const vendors: string[] = [];
  VENDORS.forEach((vendor, v) => {
    const { file, picture: sheet, reason } = sheets[v];
    if (!sheet) {
      throw new HatchlingError(
        `Expected a sheet of emoji in ${shown(file)}: ${shown(reason!)}. Delete ${shown(folder)}`,
      );
    }
    for (const base of list) {
      const variations = skinTones ? Object.values(base.skin_variations ?? {}) : [];
      for (const emoji of [base, ...variations]) {
        if (!emoji[`has_img_${vendor}`]) continue;
        pictures.push(reduceTo(cut(sheet, emoji), maxPixels));
        ids.push(`${vendor}/${emoji.unified.toLowerCase()}`);
        category.push(base.category);
        subcategory.push(base.subcategory);
        identity.push(emoji.unified.toLowerCase());
        vendors.push(vendor);
      }
    }
  });
  return {
    name: `${PACKAGE} ${VERSION} (${VENDORS.join(", ")}${skinTones ? "" : ", no skin tones"})`,
    length: pictures.length,
    largestPixels: largest.width * largest.height,
    channels,
    picture: (i) => pictures[i],
    id: (i) => ids[i],
    labels: {
      category: labelsOf(category),
      subcategory: labelsOf(subcategory),
      identity: labelsOf(identity),
      vendor: labelsOf(vendors),
    },
    skipped: [],
  };
}

function cut(sheet: Picture, { sheet_x, sheet_y }: Emoji): Picture {
  const left = sheet_x * GRID + 1, top = sheet_y * GRID + 1;
  if (left + CELL > sheet.width || top + CELL > sheet.height) {
    throw new HatchlingError(
      `Expected emoji at column ${sheet_x}, row ${sheet_y} of the sheet, which is only ` +
        `${sheet.width} × ${sheet.height} pixels`,
    );
  }
  const planes = planesOf(sheet.channels ?? 3);
  const data = new Uint8Array(4 * CELL * CELL * planes);
  for (let row = 0; row < planes * CELL; row++) {
    const plane = Math.floor(row / CELL), y = top + row % CELL;
    const from = 4 * ((plane * sheet.height + y) * sheet.width + left);
    data.set(sheet.data.subarray(from, from + 4 * CELL), 4 * CELL * row);
  }
  return { width: CELL, height: CELL, channels: sheet.channels, data };
}
