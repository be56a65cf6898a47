import assert from "node:assert/strict";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { findKey } from "../../lib/config/describe.ts";
import { RULES } from "../../lib/config/rules.ts";

function errors(text: string, args: string[] = []): string {
  try {
    parseConfig(text, { file: "a.yaml", overrides: parseOverrides(args).overrides });
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

/** What a ResNet does not have: the key, what is written, the value that it may have, and why. */
const OF_TRANSFORMERS = [
  ["model.class_token", "false", "true", "the pooled map stands in its place"],
  ["model.registers", "4", "0", "it has no tokens beside its map"],
  ["model.layer_scale", "1e-5", "null", "its blocks have none"],
  ["model.mlp", "swiglu", "gelu", "its blocks have no MLP"],
  ["model.mlp_hidden_dim", "512", "null", "its blocks have no MLP"],
  ["model.pos_embed", "rope", "learned", "its map needs no positions"],
  ["model.qkv_bias", "none", "all", "it has no attention"],
  ["model.fc_norm", "true", "false", "it has no final norm"],
  ["model.freeze_blocks", "1", "0", "blocks of vision transformers alone can be frozen"],
  ["loss.ibot_weight", "1", "0", "it has no mask token"],
  ["loss.gram_weight", "1", "0", "Gram anchoring is for patch tokens of vision transformers"],
  ["optimizer.layer_decay", "0.9", "1", "rates by depth are for blocks of vision transformers"],
  ["training.recompute", "true", "false", "its blocks would move their running statistics twice"],
];

const CASES: [text: string, error: string][] = [
  [
    "data: {dataset: folder}",
    "a.yaml:1:17: data.dataset: expected data.path, the folder of pictures, beside dataset folder",
  ],
  [
    "data: {dataset: list}",
    "a.yaml:1:17: data.dataset: expected data.path, the file that lists the pictures, beside dataset list",
  ],
  [
    "data: {dataset: module}",
    "a.yaml:1:17: data.dataset: expected data.path, the module that gives the pictures, beside dataset " +
    "module",
  ],
  ...[["cifar10", "CIFAR-10"], ["cifar100", "CIFAR-100"]].map(([name, title]): [string, string] => [
    `data: {dataset: ${name}}`,
    `a.yaml:1:17: data.dataset: expected data.path, the folder of ${title}'s binary files, beside ` +
    `dataset ${name}`,
  ]),
  ["data: {dataset: mnist}", ""],
  ["data: {dataset: mnist, path: x}", ""],
  ["data: {dataset: cifar10, path: x}", ""],
  [
    "data: {dataset: emoji, path: x.csv}",
    "a.yaml:1:17: data.dataset: expected no data.path beside the built-in emoji set - set " +
    "data.dataset to list",
  ],
  [
    "data: {dataset: emoji, path: x}",
    "a.yaml:1:17: data.dataset: expected no data.path beside the built-in emoji set - set " +
    "data.dataset to folder",
  ],
  [
    "augmentation: {n_global_crops: 1, num_local_views: 0}",
    "a.yaml:1:32: augmentation.n_global_crops: expected at least 2, as augmentation.num_local_views " +
    "is 0: a view alone has none to predict",
  ],
  ["augmentation: {n_global_crops: 1, num_local_views: 1}", ""],
  ["augmentation: {n_global_crops: 2, num_local_views: 0}", ""],
  ...["global_crop_scale", "local_crop_scale", "aspect_ratio", "gaussian_blur_sigma"].map((
    name,
  ): [string, string] => [
    `augmentation: {${name}_min: 0.9, ${name}_max: 0.8}`,
    `a.yaml:1:${22 + name.length}: augmentation.${name}_min: expected at most ` +
    `augmentation.${name}_max (0.8) but found 0.9`,
  ]),
  [
    "augmentation:\n  local: {crop_scale_min: 0.5}",
    "a.yaml:2:27: augmentation.local.crop_scale_min: expected at most " +
    "augmentation.local_crop_scale_max (0.4) but found 0.5",
  ],
  ["augmentation:\n  global_2: {crop_scale_min: 0.5}", ""],
  [
    "augmentation:\n  local: {crop_scale_max: 0.04}",
    "a.yaml:2:27: augmentation.local.crop_scale_max: expected at least " +
    "augmentation.local_crop_scale_min (0.05) but found 0.04",
  ],
  ["augmentation: {local: {crop_scale_min: 0.5, crop_scale_max: 0.5}}", ""],
  ...["global_1", "global_2", "local"].flatMap((view) =>
    ["crop_scale", "aspect_ratio", "gaussian_blur_sigma"].map((name): [string, string] => [
      `augmentation:\n  ${view}: {${name}_max: 0.8, ${name}_min: 0.9}`,
      `a.yaml:2:${
        23 + view.length + 2 * name.length
      }: augmentation.${view}.${name}_min: expected ` +
      `at most augmentation.${view}.${name}_max (0.8) but found 0.9`,
    ])
  ),
  [
    "augmentation: {normalize_mean: [0.1, 0.2]}",
    "a.yaml:1:32: augmentation.normalize_mean: expected 3 numbers, one per channel (model.in_chans), " +
    "but found 2",
  ],
  [
    "model: {in_chans: 1}\naugmentation: {normalize_std: [0.2, 0.2, 0.2]}",
    "a.yaml:2:31: augmentation.normalize_std: expected 1 number (model.in_chans), but found 3",
  ],
  [
    "data: {path: m.ts}\nmodel: {in_chans: 2}\n" +
    "augmentation: {normalize_std: [0.2, 0.2], normalize_mean: [0, 0]}",
    "",
  ],
  [
    "model: {in_chans: 2}",
    "a.yaml:1:19: model.in_chans: expected 1, 3 or 4, which emoji can give, but found 2 - for other " +
    "pictures set data.dataset to module",
  ],
  [
    "data: {dataset: mnist}\nmodel: {in_chans: 4}",
    "a.yaml:2:19: model.in_chans: expected 1 or 3, which mnist can give, but found 4 - for other " +
    "pictures set data.dataset to module",
  ],
  ...["folder, path: x", "list, path: x", "emoji", "module, path: x", "mnist, path: x"].map((
    set,
  ): [string, string] => [`data: {dataset: ${set}}\nmodel: {in_chans: 4}`, ""]),
  [
    "augmentation: {global_crop_size: 100}",
    "a.yaml:1:34: augmentation.global_crop_size: expected a multiple of model.patch_size (16) " +
    "but found 100",
  ],
  [
    "model: {patch_size: 14}",
    "a.yaml:1:21: augmentation.local_crop_size: expected a multiple of model.patch_size (14) but " +
    "found 96",
  ],
  ["model: {patch_size: 14}\naugmentation: {num_local_views: 0}", ""],
  [
    "model: {backbone: custom, depth: 2, heads: 2}",
    "a.yaml:1:19: model.dim: expected a number, as model.backbone is custom",
  ],
  [
    "model: {dim: 96}",
    "a.yaml:1:14: model.dim: expected 384, which is vit_small's, but found 96 - leave it out, or " +
    "set model.backbone to custom",
  ],
  [
    "model: {backbone: custom, dim: 96, depth: 2, heads: 5}",
    "a.yaml:1:32: model.dim: expected a multiple of model.heads (5) but found 96",
  ],
  [
    "model: {mlp_ratio: 2.001}",
    "a.yaml:1:20: model.mlp_ratio: expected an integer when multiplied by model.dim (384) but " +
    "found 2.001",
  ],
  ["model: {mlp_ratio: 2.001, mlp_hidden_dim: 768}", ""],
  [
    "model: {backbone: custom, dim: 12, depth: 2, heads: 2, pos_embed: rope}",
    "a.yaml:1:67: model.pos_embed: expected learned, as rope needs heads of a multiple of 4 dimensions but " +
    "those of model.dim 12 and model.heads 2 have 6",
  ],
  [
    "model: {class_token: false}",
    "a.yaml:1:22: model.feature: expected mean, quad or grid, as model.class_token is false, but found class",
  ],
  [
    "model: {class_token: false, feature: mean}\nloss: {contrastive_feature: class}",
    "a.yaml:2:29: loss.contrastive_feature: expected mean, quad or grid, as model.class_token is false, but " +
    "found class",
  ],
  [
    "model: {class_token: false, feature: mean}\nevaluation: {feature: class+mean}",
    "a.yaml:2:23: evaluation.feature: expected mean, quad or grid, as model.class_token is false, but found " +
    "class+mean",
  ],
  [
    "training: {num_epochs: 5}",
    "a.yaml:1:24: scheduler.warmup_epochs: expected at most training.num_epochs (5) but found 10",
  ],
  ["training: {num_epochs: 10}", ""],
  [
    "loss: {warmup_teacher_temp_epochs: 101}",
    "a.yaml:1:36: loss.warmup_teacher_temp_epochs: expected at most training.num_epochs (100) but " +
    "found 101",
  ],
  [
    "loss: {chunk_size: 100}",
    "a.yaml:1:20: loss.chunk_size: expected a multiple of 64 but found 100",
  ],
  [
    "{loss: {koleo_weight: 0.1}, data: {batch_size: 1}}",
    "a.yaml:1:23: loss.koleo_weight: expected 0, as data.batch_size is 1: a picture alone has no " +
    "neighbour",
  ],
  [
    "{loss: {koleo_weight: 0.1, objective: infonce}}",
    "a.yaml:1:23: loss.koleo_weight: expected 0, as loss.objective is infonce, which spreads features by itself",
  ],
  [
    "{loss: {contrastive_weight: 1}, data: {batch_size: 1}}",
    "a.yaml:1:52: data.batch_size: expected at least 2, as a picture is to be found among others, but found 1",
  ],
  [
    "loss: {objective: infonce, ibot_weight: 1}",
    "a.yaml:1:41: loss.ibot_weight: expected 0, as loss.objective is infonce: masked patches need DINO's " +
    "teacher and head",
  ],
  [
    "loss: {objective: infonce, gram_weight: 1}",
    "a.yaml:1:41: loss.gram_weight: expected 0, as loss.objective is infonce: the anchor is an earlier " +
    "teacher of DINO",
  ],
  [
    "{model: {feature: quad}, loss: {ibot_weight: 1}}",
    "a.yaml:1:46: loss.ibot_separate_head: expected true, as DINO's head reads model.feature quad, which is " +
    "wider than a patch's token",
  ],
  ["{model: {feature: quad}, loss: {ibot_weight: 1, ibot_separate_head: true}}", ""],
  ["{model: {feature: mean}, loss: {ibot_weight: 1}}", ""],
  [
    "loss: {mask_ratio_min: 0.6}",
    "a.yaml:1:24: loss.mask_ratio_min: expected at most loss.mask_ratio_max (0.5) but found 0.6",
  ],
  [
    "{loss: {gram_weight: 1}, training: {num_epochs: 10}}",
    "a.yaml:1:22: loss.gram_refresh_epochs: expected less than training.num_epochs (10) but found 10: Gram " +
    "anchoring begins then",
  ],
  [
    "{loss: {centering: sinkhorn_knopp}, training: {gradient_accumulation_steps: 2}}",
    "a.yaml:1:77: training.gradient_accumulation_steps: expected 1, as loss.centering is sinkhorn_knopp: it " +
    "needs the logits of the whole batch at once",
  ],
  [
    "{model: {backbone: custom, dim: 8, depth: 3, heads: 2}, evaluation: {last_blocks: 4}}",
    "a.yaml:1:83: evaluation.last_blocks: expected at most model.depth (3) but found 4",
  ],
  ["evaluation: {last_blocks: 12}", ""],
  [
    "{model: {backbone: custom, dim: 8, depth: 3, heads: 2, freeze_blocks: 4}}",
    "a.yaml:1:71: model.freeze_blocks: expected at most model.depth (3) but found 4",
  ],
  ["model: {freeze_blocks: 12}", ""],
  [
    "model: {use_weight_norm: false, norm_last_layer: false}",
    "a.yaml:1:50: model.norm_last_layer: expected true, as model.use_weight_norm is false: a plain layer has no " +
    "gain that could be trained",
  ],
  ["model: {use_weight_norm: false, norm_last_layer: true}", ""],
  [
    "optimizer: {optimizer: sgd, momentum: 0, nesterov: true}",
    "a.yaml:1:52: optimizer.nesterov: expected false, as optimizer.momentum is 0: there is nothing to look ahead along",
  ],
  ["optimizer: {optimizer: sgd, nesterov: true}", ""],
  [
    "training: {num_epochs: 20, head_warmup_epochs: 21}",
    "a.yaml:1:48: training.head_warmup_epochs: expected at most training.num_epochs (20) but found 21",
  ],
  [
    "model: {feature: cls}",
    'a.yaml:1:18: model.feature: expected "class", "mean", "quad", "grid" or "class+mean" but found "cls"',
  ],
  [
    "evaluation: {feature: patches}",
    'a.yaml:1:23: evaluation.feature: expected "class", "mean", "quad", "grid", "class+mean" or null but ' +
    'found "patches"',
  ],
  [
    "augmentation: {global_crop_size: 32, local_crop_size: 48}",
    "a.yaml:1:55: augmentation.local_crop_size: expected at most augmentation.global_crop_size (32) but found " +
    "48 - local views are the small ones",
  ],
  [
    // The key that is left out is the one that is too large.
    "augmentation: {global_crop_size: 64}",
    "a.yaml:1:34: augmentation.local_crop_size: expected at most augmentation.global_crop_size (64) but found " +
    "96 - local views are the small ones",
  ],
  ["augmentation: {global_crop_size: 32, local_crop_size: 48, num_local_views: 0}", ""],
  ["augmentation: {global_crop_size: 32, local_crop_size: 32}", ""],
  [
    "model: {backbone: custom, dim: 32, depth: 2, heads: 2, freeze_blocks: 3}",
    "a.yaml:1:71: model.freeze_blocks: expected at most model.depth (2) but found 3",
  ],
  [
    "model: {backbone: custom, dim: 16384, depth: 256, heads: 16}",
    "a.yaml:1:32: model.dim: expected a model of 1 TiB at most, with its gradients and moments, but found " +
    "15 TiB: it has 8.25e+11 parameters, most of them here",
  ],
  [
    "model: {projection_output_dim: 4194304, projection_bottleneck_dim: 65536}",
    "a.yaml:1:32: model.projection_output_dim: expected a model of 1 TiB at most, with its gradients and moments, " +
    "but found 5 TiB: it has 2.75e+11 parameters, most of them here",
  ],
  [
    "{data: {batch_size: 8192}, augmentation: {num_local_views: 8}}",
    "a.yaml:1:21: data.batch_size: expected at most 8191, as augmentation.num_local_views is 8, but found 8192 " +
    "- training.gradient_accumulation_steps makes larger steps",
  ],
  ["{data: {batch_size: 8191}, augmentation: {num_local_views: 8}}", ""],
  [
    "augmentation: {n_global_crops: 1024}\n",
    "a.yaml:1:32: data.batch_size: expected at most 63, as augmentation.n_global_crops is 1024, but found 64 " +
    "- training.gradient_accumulation_steps makes larger steps",
  ],
  ...OF_TRANSFORMERS.map(([key, written, only, why]): [string, string] => {
    const [section, name] = key.split(".");
    // Without a class token there is no feature of it.
    const backbone = `backbone: resnet18${name === "class_token" ? ", feature: mean" : ""}`,
      pair = `${name}: ${written}`;
    const text = section === "model"
      ? `model: {${backbone}, ${pair}}`
      : `{model: {${backbone}}, ${section}: {${pair}}}`;
    return [
      text,
      `a.yaml:1:${
        text.indexOf(pair) + name.length + 3
      }: ${key}: expected ${only}, as model.backbone is resnet18: ` +
      `${why} - leave it out`,
    ];
  }),
  [
    "{model: {backbone: resnet18}, device: {precision: f16}}",
    "a.yaml:1:51: device.precision: expected auto or f32, as model.backbone is resnet18: batch norm and pooling have " +
    "no kernels for halves - leave it out",
  ],
  ["{model: {backbone: resnet18}, device: {precision: f32}}", ""],
  ["{model: {backbone: resnet50, depth: 1, drop_path_rate: 0.1}}", ""],
  ["{model: {backbone: resnet18}, augmentation: {global_crop_size: 97, local_crop_size: 31}}", ""],
  [
    "model: {backbone: resnet18, depth: 12}",
    "a.yaml:1:36: model.depth: expected 1, which is resnet18's, but found 12 - leave it out, or set " +
    "model.backbone to custom",
  ],
  [
    "{data: {batch_size: 4096}, augmentation: {global_crop_size: 4096}}",
    "a.yaml:1:21: data.batch_size: expected views and their tokens of 1 TiB at most but found 10.5 TiB - lower it, " +
    "the crop sizes, model.dim or model.depth",
  ],
];

for (const [text, error] of CASES) {
  Deno.test(`parseConfig() ${error ? "refuses" : "accepts"} ${text.replaceAll("\n", " ")}`, () => {
    assert.equal(errors(text), error);
  });
}

Deno.test("every rule names existing keys and is broken by some case above", () => {
  for (const rule of RULES) {
    for (const key of rule.keys) assert(findKey(key), key);
    const same = CASES.filter(([, error]) => error.includes(`: ${rule.keys[0]}: `));
    const depthOrHeads = /^model\.(depth|heads)$/.test(rule.keys[0]); // as model.dim
    assert(same.length > 0 || depthOrHeads, rule.text);
  }
});

Deno.test("parseConfig() shows a broken rule at the override when one set a key of it", () => {
  assert.equal(
    errors("scheduler: {warmup_epochs: 20}", ["--training.num_epochs", "15"]),
    "--training.num_epochs: scheduler.warmup_epochs: expected at most training.num_epochs (15) " +
      "but found 20",
  );
});

Deno.test("parseConfig() shows a table's broken rule where it was broken", () => {
  // The file was right; the command line made a shared key too small for the table.
  assert.equal(
    errors("augmentation: {local: {crop_scale_min: 0.3}}", [
      "--augmentation.local_crop_scale_max",
      "0.2",
    ]),
    "--augmentation.local_crop_scale_max: augmentation.local.crop_scale_min: expected at most " +
      "augmentation.local_crop_scale_max (0.2) but found 0.3",
  );
  // A shared pair in the wrong order is said once, not again for every table.
  assert.equal(
    errors("augmentation: {aspect_ratio_min: 2}"),
    "a.yaml:1:34: augmentation.aspect_ratio_min: expected at most augmentation.aspect_ratio_max " +
      "(1.3333333333333333) but found 2",
  );
});

Deno.test("parseConfig() keeps silent about a rule when a key of it is wrong or misspelt", () => {
  assert.equal(errors("training: {num_epochs: 0}\n").split("\n").length, 1);
  assert.equal(
    errors("augmentation: {local: 3, local_crop_scale_max: 0.06}").split("\n").length,
    1,
  );
  assert.equal(
    errors("augmentation: {locals: {crop_scale_min: 0.3}, local_crop_scale_max: 0.2}").split("\n")
      .length,
    1,
  );
  assert.equal(
    errors("model: {patch_sise: 14}\naugmentation: {local_crop_size: 14}\n"),
    [
      'a.yaml:1:9: model.patch_sise: unknown key - did you mean "patch_size"?',
    ].join(),
  );
});

Deno.test("parseConfig() keeps silent about rules when the file cannot be read", () => {
  const found = errors("scheduler: {warmup_epochs: 1", ["--training.num_epochs", "2"]);
  assert.match(found, /^a\.yaml:1:29: [^\n]*$/);
});
