/**
 * Rules of the pictures and their views, and the data set of a path.
 *
 * @module
 */

import { valueAt } from "./describe.ts";
import { atMost, notAbove, type ParsedConfig, type Rule } from "./rule.ts";
import { resnetLayers } from "./backbones.ts";
import { sharedKey, VIEW_TABLES } from "./schema_views.ts";

/** The data set that `data.path` says by itself. */
export function datasetOf(path: string | null): NonNullable<ParsedConfig["data"]["dataset"]> {
  if (path === null) return "emoji";
  if (/\.(csv|tsv|txt)$/i.test(path)) return "list";
  return /\.m?[jt]s$/i.test(path) ? "module" : "folder";
}

function isEmoji(kind: ParsedConfig["data"]["dataset"]): boolean {
  return kind === "emoji" || kind === "emoji_base";
}

/** What has a least and a largest value. */
const RANGES = ["crop_scale", "aspect_ratio", "gaussian_blur_sigma"];
const ends = (table: string, range: string) =>
  ["min", "max"].map((end) => ({
    own: `augmentation.${table}.${range}_${end}`,
    shared: `augmentation.${sharedKey(table, `${range}_${end}`)}`,
  }));

/** The section's own ranges: a table's are checked by {@linkcode orderedView}. */
function orderedShared(): Rule[] {
  const limits = new Map(
    RANGES.flatMap((range) => VIEW_TABLES.map((table) => ends(table, range)))
      .map(([min, max]) => [min.shared, max.shared]),
  );
  return [...limits].map((keys) => notAbove(...keys, keys[0].includes("local") ? keys : undefined));
}

/** The same inside a table, of which either may be a shared key's. */
function orderedView(table: string, range: string): Rule {
  const both = ends(table, range);
  return {
    keys: [...both.map(({ own }) => own), ...both.map(({ shared }) => shared)],
    text:
      `In ${
        VIEW_TABLES.map((one) => `\`augmentation.${one}\``).join(", ")
      }, each \`…_min\` is at ` +
      "most its `…_max`, whether given there or taken from a shared key.",
    check(config) {
      const given = both.map(({ own }) => valueAt(config, own) !== null);
      if (!given.includes(true)) return; // the rule of the shared keys tells
      const [low, high] = both.map(({ own, shared }, i) => given[i] ? own : shared);
      const [least, most] = [low, high].map((key) => valueAt(config, key) as number);
      if (least <= most) return;
      if (given[0]) return atMost(high, most, least);
      return { key: high, what: `expected at least ${low} (${least}) but found ${most}` };
    },
  };
}

function wholePatches(name: "global_crop_size" | "local_crop_size"): Rule {
  const local = name === "local_crop_size";
  return {
    keys: [
      `augmentation.${name}`,
      "model.patch_size",
      "model.backbone",
      ...(local ? ["augmentation.num_local_views"] : []),
    ],
    chosen: [`augmentation.${name}`, "model.patch_size"],
    text: `\`augmentation.${name}\` is a multiple of \`model.patch_size\`${
      local ? ", unless there are no local views" : ""
    }; of a ResNet it is any size.`,
    check({ augmentation, model }) {
      const size = augmentation[name];
      if (resnetLayers(model.backbone)) return;
      if (size % model.patch_size === 0 || (local && augmentation.num_local_views === 0)) return;
      return `expected a multiple of model.patch_size (${model.patch_size}) but found ${size}`;
    },
  };
}

function perChannel(name: "normalize_mean" | "normalize_std"): Rule {
  return {
    keys: [`augmentation.${name}`, "model.in_chans"],
    text: `\`augmentation.${name}\` has \`model.in_chans\` numbers.`,
    check({ augmentation, model: { in_chans: channels } }) {
      const found = augmentation[name]?.length ?? channels;
      if (found === channels) return;
      return `expected ${channels} ${channels > 1 ? "numbers, one per channel" : "number"} ` +
        `(model.in_chans), but found ${found}`;
    },
  };
}

/** What each data set needs at `data.path`. */
const NEEDS = {
  folder: "the folder of pictures",
  list: "the file that lists the pictures",
  module: "the module that gives the pictures",
  cifar10: "the folder of CIFAR-10's binary files",
  cifar100: "the folder of CIFAR-100's binary files",
} as const;

/** Channels that a data set can give; undefined where its files or its module decide. */
function channelsOf({ dataset, path }: ParsedConfig["data"]): number[] | undefined {
  const kind = dataset ?? datasetOf(path);
  if (kind === "module" || (kind === "mnist" && path !== null)) return undefined;
  return kind === "folder" || kind === "list" || isEmoji(kind) ? [1, 3, 4] : [1, 3];
}

/** Rules of the sections `data` and `augmentation`. */
export const VIEW_RULES: readonly Rule[] = [
  {
    keys: ["data.dataset", "data.path"],
    text:
      "`data.dataset: emoji` or `emoji_base` takes no `data.path`, `mnist` may have one, all others need it.",
    check({ data: { dataset, path } }) {
      if (dataset !== null && dataset in NEEDS && path === null) {
        const what = NEEDS[dataset as keyof typeof NEEDS];
        return `expected data.path, ${what}, beside dataset ${dataset}`;
      }
      if (isEmoji(dataset) && path !== null) {
        return "expected no data.path beside the built-in emoji set - set data.dataset to " +
          datasetOf(path);
      }
    },
  },
  {
    keys: ["augmentation.n_global_crops", "augmentation.num_local_views"],
    text: "`augmentation.n_global_crops` + `augmentation.num_local_views` is at least 2.",
    check({ augmentation }) {
      if (augmentation.n_global_crops + augmentation.num_local_views >= 2) return;
      return "expected at least 2, as augmentation.num_local_views is 0: a view alone has none to predict";
    },
  },
  ...orderedShared(),
  ...VIEW_TABLES.flatMap((table) => RANGES.map((range) => orderedView(table, range))),
  wholePatches("global_crop_size"),
  wholePatches("local_crop_size"),
  {
    keys: [
      "augmentation.local_crop_size",
      "augmentation.global_crop_size",
      "augmentation.num_local_views",
    ],
    chosen: ["augmentation.local_crop_size", "augmentation.global_crop_size"],
    text:
      "`augmentation.local_crop_size` is at most `augmentation.global_crop_size`, unless there are no local views.",
    check({ augmentation }) {
      const { global_crop_size: most, local_crop_size: size, num_local_views } = augmentation;
      if (size <= most || num_local_views === 0) return;
      return `${
        atMost("augmentation.global_crop_size", most, size)
      } - local views are the small ones`;
    },
  },
  {
    keys: ["model.in_chans", "data.dataset", "data.path"],
    text:
      "`model.in_chans` is 1, 3 or 4 for picture files and emoji, 1 or 3 for `mnist`, `cifar10` and " +
      "`cifar100`, any number for a `module` and for MNIST's format in `data.path`.",
    check({ model: { in_chans: found }, data }) {
      const channels = channelsOf(data);
      if (!channels || channels.includes(found)) return;
      const list = channels.join(", ").replace(/, (\d)$/, " or $1");
      return `expected ${list}, which ${
        data.dataset ?? datasetOf(data.path)
      } can give, but found ` +
        `${found} - for other pictures set data.dataset to module`;
    },
  },
  perChannel("normalize_mean"),
  perChannel("normalize_std"),
];
