import assert from "node:assert/strict";
import { configDefaults, parseConfig, stringifyConfig } from "../../lib/config.ts";
import { allKeys, sections, valueAt } from "../../lib/config/describe.ts";
import { augmentationOptions } from "../../lib/augmentation.ts";
import { augmentationOf, datasetOptionsOf } from "../../lib/from_config.ts";
import { checkSettings } from "../../lib/loss/options.ts";
import { DinoHead, VisionTransformer } from "../../lib/model.ts";
import { ADAM_DEFAULTS } from "../../lib/optim/defaults.ts";
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import vitSmall from "../../configs/vit-small.yaml" with { type: "text" };

Deno.test("configDefaults() are main_dino.py's for a ViT", () => {
  const config = configDefaults();
  const { data, augmentation: defaults, model, loss, optimizer, scheduler, training } = config;
  assert.equal(data.batch_size, 64);
  assert.equal(data.num_workers, 10);
  assert.equal(data.dataset, "emoji");
  assert.deepEqual(
    [defaults.n_global_crops, defaults.num_local_views, defaults.global_crop_size],
    [2, 8, 224],
  );
  assert.deepEqual(
    [defaults.global_crop_scale_min, defaults.global_crop_scale_max, defaults.local_crop_size],
    [0.4, 1, 96],
  );
  assert.deepEqual([defaults.local_crop_scale_min, defaults.local_crop_scale_max], [0.05, 0.4]);
  assert.deepEqual(
    [defaults.brightness, defaults.contrast, defaults.saturation, defaults.hue],
    [0.4, 0.4, 0.2, 0.1],
  );
  const views = [defaults.global_1, defaults.global_2, defaults.local];
  assert.deepEqual(views.map((view) => view.gaussian_blur_prob), [1, 0.1, 0.5]);
  assert.deepEqual(views.map((view) => view.solarization_prob), [0, 0.2, 0]);
  assert.deepEqual(views.map((view) => [view.crop_scale_min, view.crop_scale_max]), [
    [0.4, 1],
    [0.4, 1],
    [0.05, 0.4],
  ]);
  assert.deepEqual([defaults.normalize_mean, defaults.normalize_std], [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ]);
  assert.deepEqual([model.backbone, model.patch_size], ["vit_small", 16]);
  assert.deepEqual([model.dim, model.depth, model.heads, model.mlp_ratio], [384, 12, 6, 4]);
  assert.deepEqual([model.drop_path_rate, model.norm_last_layer, model.pos_interp], [
    0.1,
    true,
    "offset",
  ]);
  assert.deepEqual(
    [
      model.projection_hidden_dim,
      model.projection_bottleneck_dim,
      model.projection_output_dim,
      model.projection_layers,
    ],
    [2048, 256, 65536, 3],
  );
  assert.deepEqual(loss, {
    objective: "dino",
    student_temp: 0.1,
    teacher_temp: 0.04,
    warmup_teacher_temp: 0.04,
    warmup_teacher_temp_epochs: 0,
    center_momentum: 0.9,
    centering: "center",
    koleo_weight: 0,
    contrastive_weight: 0,
    contrastive_feature: "class",
    contrastive_temp: 0.1,
    contrastive_temp_learned: false,
    contrastive_teacher: false,
    ibot_weight: 0,
    ibot_separate_head: false,
    mask_prob: 0.5,
    mask_ratio_min: 0.1,
    mask_ratio_max: 0.5,
    gram_weight: 0,
    gram_refresh_epochs: 10,
    chunk_size: null,
  });
  assert.deepEqual(optimizer, {
    optimizer: "adamw",
    lr: 0.0005,
    lr_scale_by_batch: true,
    weight_decay: 0.04,
    weight_decay_end: 0.4,
    betas: [0.9, 0.999],
    eps: 1e-8,
    momentum: 0.9,
    nesterov: false,
    layer_decay: 1,
  });
  assert.deepEqual([scheduler.warmup_epochs, scheduler.min_lr, scheduler.warmup_start_lr], [
    10,
    1e-6,
    0,
  ]);
  assert.deepEqual(training, {
    seed: 0,
    num_epochs: 100,
    max_steps: null,
    teacher_momentum: 0.996,
    teacher_momentum_schedule: true,
    teacher_momentum_final: 1,
    gradient_clip: 3,
    gradient_clip_mode: "per_tensor",
    freeze_last_layer: 1,
    head_warmup_epochs: 0,
    gradient_accumulation_steps: 1,
    recompute: false,
    on_non_finite: "stop",
    preset: "none",
    max_skipped_steps: 10,
  });
  assert.deepEqual(config.evaluation.knn_k, [10, 20, 100, 200]);
});

Deno.test("parseConfig() works out dataset, shape and k when they are left out or short", () => {
  const config = parseConfig(
    "data: {path: p}\nmodel: {backbone: vit_tiny}\nevaluation: {knn_k: 3}",
  );
  assert.equal(config.data.dataset, "folder");
  assert.deepEqual([config.model.dim, config.model.depth, config.model.heads], [192, 12, 3]);
  assert.deepEqual(config.evaluation.knn_k, [3]);
  assert.equal(parseConfig("model: {backbone: vit_base}").model.dim, 768);
  assert.equal(parseConfig("model: {dim: 384}").model.dim, 384);
});

Deno.test("parseConfig() works out the data set from the path", () => {
  const cases = {
    emoji: ["null"],
    list: ["a/b.csv", "B.TSV", "c.txt"],
    module: ["./m.ts", "m.mjs"],
  };
  for (
    const [dataset, paths] of Object.entries({ ...cases, folder: ["a.csv/b", "csv", "a.png"] })
  ) {
    for (const path of paths) {
      assert.equal(parseConfig(`data: {path: ${path}}`).data.dataset, dataset, path);
    }
  }
  const mnist = parseConfig("data: {dataset: mnist}").data;
  assert.deepEqual([mnist.dataset, mnist.path], ["mnist", null]);
  assert.equal(parseConfig("data: {dataset: folder, path: a.csv}").data.dataset, "folder");
});

Deno.test("parseConfig() works out mean and standard deviation from the channels", () => {
  const of = (text: string) => {
    const { normalize_mean: mean, normalize_std: std } = parseConfig(text).augmentation;
    return [mean, std];
  };
  assert.deepEqual(of("model: {in_chans: 1}"), [[0.449], [0.226]]);
  assert.deepEqual(of("data: {path: m.ts}\nmodel: {in_chans: 2}"), [[0.5, 0.5], [0.25, 0.25]]);
  assert.deepEqual(of("model: {in_chans: 1}\naugmentation: {normalize_mean: [0.2]}"), [[0.2], [
    0.226,
  ]]);
  // What the augmentation says by itself.
  for (const channels of [1, 2, 3, 4, 7]) {
    const { normalizeMean, normalizeStd } = augmentationOptions({ channels });
    assert.deepEqual(of(`data: {path: m.ts}\nmodel: {in_chans: ${channels}}`), [
      normalizeMean,
      normalizeStd,
    ]);
  }
});

Deno.test("parseConfig() gives each table of views the shared keys that it leaves out", () => {
  const { augmentation: a } = parseConfig(
    "augmentation:\n  hue: 0.2\n  contrast: 0.3\n  local_crop_scale_max: 0.7\n  solarization_prob: 0.6\n" +
      "  global_1: {hue: 0, contrast: null, gaussian_blur_prob: null}\n" +
      "  local:\n    hue: 0.05\n    crop_scale_min: 0.3\n    solarization_prob: 0.1\n",
  );
  const views = [a.global_1, a.global_2, a.local];
  assert.deepEqual(views.map((view) => view.hue), [0, 0.2, 0.05]);
  assert.deepEqual(views.map((view) => view.contrast), [0.3, 0.3, 0.3]);
  assert.deepEqual(views.map((view) => view.crop_scale_min), [0.4, 0.4, 0.3]);
  assert.deepEqual(views.map((view) => view.crop_scale_max), [1, 1, 0.7]);
  assert.deepEqual(views.map((view) => view.solarization_prob), [0, 0.6, 0.1]);
  assert.deepEqual(views.map((view) => view.gaussian_blur_prob), [1, 0.1, 0.5]);
});

Deno.test("what is read out is what is trained on, where nothing else is said", () => {
  const of = (text: string) => parseConfig(text).evaluation.feature;
  assert.equal(of("{}"), "class");
  assert.equal(of("model: {feature: quad}"), "quad");
  assert.equal(of("{model: {feature: quad}, evaluation: {feature: grid}}"), "grid");
  assert.equal(of("{model: {feature: quad}, evaluation: {feature: null}}"), "quad");
  // Written again, a null is left out, so that a change of the one still reaches the other.
  const [same, other] = ["null", "mean"].map((word) =>
    stringifyConfig(parseConfig(`{model: {feature: quad}, evaluation: {feature: ${word}}}`))
  );
  assert.equal(of(same.replace("feature: quad", "feature: grid")), "grid");
  assert.match(other, /evaluation:\n {2}feature: mean\n/);
});

Deno.test("every key of a table that has a shared one takes its value", () => {
  const kept: string[] = [];
  for (const key of allKeys()) {
    if (key.inherits === undefined || key.inherits === "model.feature") continue;
    if (typeof key.inherits === "number") {
      kept.push(key.path);
      assert.equal(valueAt(configDefaults(), key.path), key.inherits);
      continue;
    }
    const [section, name] = key.inherits.split(".");
    const max = name.endsWith("_max");
    const given = max ? 0.99 : name.endsWith("_min") ? 0.01 : 0.123;
    const config = parseConfig(
      `${section}: {${name}: ${given}${
        name === "aspect_ratio_max" ? ", aspect_ratio_min: 0.5" : ""
      }}`,
    );
    assert.equal(valueAt(config, key.path), given, key.path);
  }
  assert.deepEqual(kept, [
    "augmentation.global_1.gaussian_blur_prob",
    "augmentation.global_1.solarization_prob",
    "augmentation.global_2.gaussian_blur_prob",
    "augmentation.local.gaussian_blur_prob",
    "augmentation.local.solarization_prob",
  ]);
});

Deno.test("the keys of a view that stand in the section mean what they meant before the tables", () => {
  // Of the project that this one started from, with other numbers than the defaults.
  const { views } = augmentationOf(parseConfig(
    "augmentation: {global_crop_scale_min: 0.3, global_crop_scale_max: 0.9, local_crop_scale_min: 0.1, " +
      "local_crop_scale_max: 0.2, color_jitter_prob: 0.7, brightness: 0.3, contrast: 0.2, saturation: 0.1, hue: 0.05, " +
      "horizontal_flip_prob: 0.4, grayscale_prob: 0.1, gaussian_blur_sigma_min: 0.2, gaussian_blur_sigma_max: 1, " +
      "solarization_prob: 0.6, solarization_threshold: 99}",
  ));
  const every = {
    cropScale: [0.3, 0.9],
    aspectRatio: [3 / 4, 4 / 3],
    horizontalFlipProb: 0.4,
    colorJitterProb: 0.7,
    brightness: 0.3,
    contrast: 0.2,
    saturation: 0.1,
    hue: 0.05,
    grayscaleProb: 0.1,
    gaussianBlurSigma: [0.2, 1],
    solarizationThreshold: 99,
  };
  assert.deepEqual(views, {
    global1: { ...every, gaussianBlurProb: 1, solarizationProb: 0 },
    global2: { ...every, gaussianBlurProb: 0.1, solarizationProb: 0.6 },
    local: { ...every, cropScale: [0.1, 0.2], gaussianBlurProb: 0.5, solarizationProb: 0 },
  });
});

Deno.test("networks, loss and AdamW have the configuration's defaults where nothing is said", () => {
  const { loss, model, optimizer } = configDefaults();
  assert.deepEqual(
    checkSettings({ outDim: 4, nCrops: 10 }),
    checkSettings({
      outDim: 4,
      nCrops: 10,
      studentTemp: loss.student_temp,
      teacherTemp: loss.teacher_temp,
      centerMomentum: loss.center_momentum,
      centering: loss.centering,
      koleoWeight: loss.koleo_weight,
    }),
  );
  const vit = new VisionTransformer({ imageSize: 32, patchSize: 16, dim: 8, depth: 1, heads: 1 });
  assert.deepEqual(
    [model.mlp_ratio, model.in_chans, model.pos_interp, model.init_std],
    [vit.config.mlpRatio, vit.config.inChans, vit.config.posInterp, vit.config.initStd],
  );
  const { config } = vit;
  assert.deepEqual(
    [model.mlp, model.class_token, model.registers, model.layer_scale, model.pos_embed],
    [config.mlp, config.classToken, config.registers, config.layerScale, config.posEmbed],
  );
  assert.deepEqual(
    [model.rope_base, model.qkv_bias, model.fc_norm, model.norm_eps],
    [config.ropeBase, config.qkvBias, config.fcNorm, config.normEps],
  );
  const head = new DinoHead({ inDim: 8, outDim: 4 }).config;
  assert.deepEqual(
    [model.projection_hidden_dim, model.projection_bottleneck_dim, model.projection_layers],
    [head.hiddenDim, head.bottleneckDim, head.layers],
  );
  assert.deepEqual([model.norm_last_layer, model.init_std], [head.normLastLayer, head.initStd]);
  assert.equal(model.use_weight_norm, head.useWeightNorm);
  assert.deepEqual({ betas: optimizer.betas, eps: optimizer.eps }, ADAM_DEFAULTS);
});

Deno.test("a key has more than one value", () => {
  const lonely = allKeys().filter(({ json }) => json.enum?.length === 1 || "const" in json);
  assert.deepEqual(lonely.map(({ path }) => path), []);
});

Deno.test("augmentationOf() gives DINO's own options for the defaults", () => {
  assert.deepEqual(augmentationOf(configDefaults()), augmentationOptions());
});

Deno.test("augmentationOf() puts each table's numbers where they belong", () => {
  const names = allKeys().filter((key) => key.section === "augmentation.local").map((k) => k.name);
  const local = Object.fromEntries(names.map((name, i) => [name, (i + 1) / 100]));
  const config = parseConfig(JSON.stringify({ augmentation: { local } }));
  const options = augmentationOf(config);
  const n = (name: string) => local[name];
  assert.deepEqual(options.views.local, {
    cropScale: [n("crop_scale_min"), n("crop_scale_max")],
    aspectRatio: [n("aspect_ratio_min"), n("aspect_ratio_max")],
    horizontalFlipProb: n("horizontal_flip_prob"),
    colorJitterProb: n("color_jitter_prob"),
    brightness: n("brightness"),
    contrast: n("contrast"),
    saturation: n("saturation"),
    hue: n("hue"),
    grayscaleProb: n("grayscale_prob"),
    gaussianBlurProb: n("gaussian_blur_prob"),
    gaussianBlurSigma: [n("gaussian_blur_sigma_min"), n("gaussian_blur_sigma_max")],
    solarizationProb: n("solarization_prob"),
    solarizationThreshold: n("solarization_threshold"),
  });
  const { global1, global2 } = augmentationOptions().views;
  assert.deepEqual([options.views.global1, options.views.global2], [global1, global2]);
});

Deno.test("datasetOptionsOf() starts no more workers than there are processors", () => {
  const processors = navigator.hardwareConcurrency;
  const of = (n: number) => datasetOptionsOf(parseConfig(`data: {num_workers: ${n}}`)).numWorkers;
  assert.deepEqual([1, processors, processors + 1].map(of), [1, processors, processors]);
});

Deno.test("datasetOptionsOf() takes what a data set needs from all sections", () => {
  const text = "data: {dataset: cifar10, path: p, split: val, val_fraction: 0.3, max_pixels: 9, " +
    "cache_bytes: 8, num_workers: 1}\nmodel: {in_chans: 1}\ntraining: {seed: 7}";
  assert.deepEqual(datasetOptionsOf(parseConfig(text)), {
    dataset: "cifar10",
    path: "p",
    channels: 1,
    split: "val",
    valFraction: 0.3,
    maxPixels: 9,
    cacheBytes: 8,
    numWorkers: 1,
    seed: 7,
  });
  assert.equal(datasetOptionsOf(configDefaults()).path, undefined);
});

Deno.test("parseConfig() follows anchors and aliases", () => {
  const config = parseConfig(
    "optimizer: {lr: &rate 1e-3, betas: &two [0.5, 0.6]}\nscheduler: {min_lr: *rate}\n" +
      "loss: &loss {student_temp: 0.2}\n",
  );
  assert.equal(config.scheduler.min_lr, 1e-3);
  assert.deepEqual(config.optimizer.betas, [0.5, 0.6]);
});

Deno.test("configDefaults() gives a new object each time", () => {
  const [a, b] = [configDefaults(), configDefaults()];
  assert.deepEqual(a, b);
  assert.notEqual(a.data, b.data);
  assert.notEqual(a.optimizer.betas, b.optimizer.betas);
});

Deno.test("published recipes are right and say their command", () => {
  for (const [name, text] of [["tiny", tiny], ["small", small]]) {
    const config = parseConfig(text, { file: `configs/${name}.yaml` });
    assert.equal(config.data.dataset, "emoji");
    assert.equal(config.augmentation.global_crop_size, 32);
    assert.match(
      text,
      new RegExp(`^#.*\\n#\\n# Command: +deno task train configs/${name}.yaml\\n`),
    );
  }
});

Deno.test("the recipe of ViT-S/16 is main_dino.py's own", () => {
  assert.match(
    vitSmall,
    /^(#.*\n)+# Command: +deno task train configs\/vit-small\.yaml --data\.path/,
  );
  // A key that a configuration omits takes facebookresearch/dino's default: what it states is the same.
  assert.deepEqual(parseConfig(vitSmall, { file: "configs/vit-small.yaml" }), configDefaults());
});

Deno.test("stringifyConfig() keeps any path when it looks like something else in YAML", () => {
  const paths = ["null", "~", "true", "2024", "0x1f", "1e3", ".nan", "a: b", "a #b", "- x", "x\ny"];
  const more = ["é/ü", "C:\\x", '"', "'", " ", "<<", "/a/b-c_d.e", "\ud800", "\x7f", "\u2028"];
  const config = configDefaults();
  for (const path of [...paths, ...more]) {
    const text = stringifyConfig({ ...config, data: { ...config.data, path, dataset: "folder" } });
    assert.equal(parseConfig(text).data.path, path);
  }
});

Deno.test("stringifyConfig() puts a comment above each section and every key below it", () => {
  const text = stringifyConfig(configDefaults());
  const blocks = [...sections(), ...sections().flatMap(({ tables }) => tables)];
  for (const { section, name, description, keys } of blocks) {
    const indent = section ? "  " : "";
    const start = text.indexOf(`${indent}# ${description}\n${indent}${name}:\n`);
    assert(start >= 0, name);
    const end = text.slice(start + 1).search(/\n\n|\n {2}#/) + start + 1;
    const block = text.slice(start, end > start ? end : undefined);
    for (const key of keys) {
      // As good as its shared key, it is left out.
      const shared = typeof key.inherits === "string";
      assert.equal(block.includes(`\n${indent}  ${key.name}: `), !shared, key.path);
    }
  }
  assert(text.includes("  betas: [0.9, 0.999]\n") && text.includes("  path: null\n"));
});

Deno.test("stringifyConfig() leaves to shared keys what a table has of them", () => {
  const config = parseConfig("augmentation: {hue: 0.2, local: {hue: 0.3}, global_1: {hue: 0.2}}");
  const overrides = [{ key: "augmentation.hue", value: "0" }];
  const { global_1, global_2, local, hue } =
    parseConfig(stringifyConfig(config), { overrides }).augmentation;
  assert.deepEqual([hue, global_1.hue, global_2.hue, local.hue], [0, 0, 0, 0.3]);
});
