/** Whatever configuration there is: it is written and read again, and its parts take it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { augmentationOptions } from "../../lib/augmentation.ts";
import { type Config, parseConfig, stringifyConfig } from "../../lib/config.ts";
import { allKeys, type Section, sections, valueAt } from "../../lib/config/describe.ts";
import type { Json } from "../../lib/config/kinds.ts";
import { augmentationOf } from "../../lib/from_config.ts";

/** Any value that a key's type accepts. */
function anything(json: Json): fc.Arbitrary<unknown> {
  if (json.anyOf) return fc.oneof(...json.anyOf.map(anything));
  if ("const" in json) return fc.constant(json.const);
  if (json.enum) return fc.constantFrom(...json.enum);
  if (json.prefixItems) return fc.tuple(...json.prefixItems.map(anything));
  switch (json.type) {
    case "array":
      return fc.array(anything(json.items as Json), { minLength: json.minItems, maxLength: 5 });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return fc.string({ unit: "binary", minLength: 1 });
    case "integer":
      return fc.integer({ min: json.minimum, max: Math.min(json.maximum!, 2 ** 31 - 1) });
    default:
      return fc.double({
        noNaN: true,
        noDefaultInfinity: true,
        min: json.exclusiveMinimum ?? json.minimum,
        minExcluded: json.exclusiveMinimum !== undefined,
        max: json.exclusiveMaximum ?? json.maximum,
        maxExcluded: json.exclusiveMaximum !== undefined,
      });
  }
}

/** Any configuration whose keys fit each other. */
function anyConfig(): fc.Arbitrary<Config> {
  const plain = { noNullPrototype: true } as const;
  const section = ({ keys, tables }: Section): fc.Arbitrary<unknown> =>
    fc.record(
      Object.fromEntries([
        ...keys.map((key) => [key.name, anything(key.json)]),
        ...tables.map((table) => [table.name, section(table)]),
      ]),
      plain,
    );
  const free = fc.record(
    Object.fromEntries(sections().map((one) => [one.name, section(one)])),
    plain,
  );
  const order = (section: Record<string, number>, name: string) => {
    const [low, high] = [section[`${name}_min`], section[`${name}_max`]].sort((a, b) => a - b);
    Object.assign(section, { [`${name}_min`]: low, [`${name}_max`]: high });
  };
  return free.map((any) => {
    // deno-lint-ignore no-explicit-any
    const whole = any as any;
    const { data, augmentation, model, loss, optimizer, scheduler, training, evaluation } = whole;
    if (data.path === null) {
      data.dataset = ["mnist", "emoji_base"].find((kind) => kind === data.dataset) ?? "emoji";
    } else if (data.dataset === null || data.dataset.startsWith("emoji")) data.dataset = "folder";
    ["global_crop_scale", "local_crop_scale", "aspect_ratio", "gaussian_blur_sigma"]
      .forEach((name) => order(augmentation, name));
    // A whole configuration holds no null: shared numbers are in place of it.
    for (const { path, section, name, inherits } of allKeys()) {
      if (inherits === undefined || valueAt(any as object, path) !== null) continue;
      const table = valueAt(any as object, section) as Record<string, unknown>;
      table[name] = typeof inherits === "string" ? valueAt(any as object, inherits) : inherits;
    }
    for (const table of ["global_1", "global_2", "local"]) {
      ["crop_scale", "aspect_ratio", "gaussian_blur_sigma"]
        .forEach((name) => order(augmentation[table], name));
    }
    const channels = 1 + model.in_chans % 8;
    model.in_chans = data.dataset === "module" ? channels : 1 + 2 * (channels % 2);
    const perChannel = (given: number[] | null) =>
      Array.from({ length: model.in_chans }, (_, c) => given ? given[c % given.length] : 0.5);
    augmentation.normalize_mean = perChannel(augmentation.normalize_mean);
    augmentation.normalize_std = perChannel(augmentation.normalize_std);
    model.patch_size = 1 + model.patch_size % 1024;
    augmentation.global_crop_size = 3 * model.patch_size;
    augmentation.local_crop_size = 2 * model.patch_size;
    // Each size may be as large as it likes, but not all of them at once.
    data.batch_size = data.batch_size === "auto" ? 64 : 1 + data.batch_size % 16;
    augmentation.n_global_crops = 1 + augmentation.n_global_crops % 16;
    augmentation.num_local_views %= 16;
    if (augmentation.n_global_crops === 1) augmentation.num_local_views ||= 1;
    for (const key of Object.keys(model).filter((key) => /^(proj|contr).*_dim$/.test(key))) {
      model[key] = 2 + model[key] % 4096;
    }
    model.backbone = "custom";
    model.heads = 1 + (model.heads ?? 0) % 16;
    model.dim = model.heads * (1 + (model.dim ?? 0) % 64);
    model.depth ??= 1;
    model.freeze_blocks %= model.depth + 1;
    evaluation.last_blocks = 1 + evaluation.last_blocks % model.depth;
    model.freeze_blocks %= model.depth + 1;
    if (!model.use_weight_norm) model.norm_last_layer = true;
    if (optimizer.momentum === 0) optimizer.nesterov = false;
    training.head_warmup_epochs %= training.num_epochs;
    model.mlp_ratio = 1 + Math.floor(model.mlp_ratio % 8);
    if (model.mlp_hidden_dim) model.mlp_hidden_dim = 1 + model.mlp_hidden_dim % 1024;
    model.registers %= 16;
    if (model.pos_embed === "rope") {
      model.dim = 4 * model.heads * Math.ceil(model.dim / model.heads / 4);
    }
    if (!model.class_token) {
      for (const section of [model, evaluation]) {
        if (section.feature?.startsWith("class")) section.feature = "mean";
      }
      if (loss.contrastive_feature?.startsWith("class")) loss.contrastive_feature = "quad";
    }
    loss.warmup_teacher_temp_epochs %= training.num_epochs + 1;
    scheduler.warmup_epochs %= training.num_epochs;
    if (loss.chunk_size) loss.chunk_size = 64 * (1 + loss.chunk_size % 100);
    if (data.batch_size === 1) {
      loss.koleo_weight = loss.contrastive_weight = 0;
      loss.objective = "dino";
    }
    if (loss.objective === "infonce") loss.koleo_weight = loss.ibot_weight = loss.gram_weight = 0;
    if (loss.mask_ratio_min > loss.mask_ratio_max) loss.mask_ratio_min = loss.mask_ratio_max;
    if (loss.gram_refresh_epochs >= training.num_epochs) loss.gram_weight = 0;
    if (!["class", "mean"].includes(model.feature)) loss.ibot_separate_head = true;
    if (loss.centering === "sinkhorn_knopp") training.gradient_accumulation_steps = 1;
    evaluation.knn_k = [evaluation.knn_k].flat();
    return any as unknown as Config;
  });
}

Deno.test("stringifyConfig() gives text that parses to the same configuration (property)", () => {
  fc.assert(
    fc.property(anyConfig(), (config) => {
      assert.deepEqual(parseConfig(stringifyConfig(config)), config);
    }),
    { numRuns: 200 },
  );
});

Deno.test("augmentationOf() gives options that the augmentation takes (property)", () => {
  fc.assert(
    fc.property(anyConfig(), (config) => {
      const options = augmentationOf(config);
      assert.deepEqual(augmentationOptions(options), options);
    }),
    { numRuns: 200 },
  );
});
