import assert from "node:assert/strict";
import fc from "fast-check";
import { allKeys } from "../../lib/config/describe.ts";
import { editDistance, hintForKey, nearest } from "../../lib/config/suggest.ts";

Deno.test("editDistance() counts inserts, deletes, replacements and swaps of neighbours", () => {
  for (
    const [a, b, n] of [
      ["", "", 0],
      ["", "abc", 3],
      ["abc", "", 3],
      ["lr", "rl", 1],
      [
        "kitten",
        "sitting",
        3,
      ],
      ["teacher_tmp", "teacher_temp", 1],
      ["abcd", "badc", 2],
    ] as const
  ) assert.equal(editDistance(a, b), n, `${a} ${b}`);
});

Deno.test("editDistance() is symmetric, and zero only for equal words (property)", () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(fc.property(word, word, (a, b) => {
    const distance = editDistance(a, b);
    assert.equal(distance, editDistance(b, a));
    assert.equal(distance === 0, a === b);
    assert(distance <= Math.max(a.length, b.length));
  }));
});

Deno.test("nearest() finds nothing when every name is far", () => {
  assert.equal(nearest("qqq", ["lr", "betas"]), undefined);
  assert.equal(nearest("LR", ["lr", "betas"]), "lr");
  assert.equal(nearest("weight-decay", ["weight_decay_end", "weight_decay"]), "weight_decay");
});

Deno.test("hintForKey() finds every key again when one letter is missing or doubled", () => {
  const names = allKeys();
  for (const { section, name } of names.filter((key) => key.name.length > 3)) {
    for (const wrong of [name.slice(0, -1), name.slice(1), `${name}${name.at(-1)}`]) {
      if (names.some((key) => key.name === wrong || key.aka?.includes(wrong))) continue;
      const { text } = hintForKey(section, wrong);
      assert(text.includes(`"${name}"`) || distances(section, wrong, name), `${wrong}: ${text}`);
    }
  }

  /** True where another key of the section is just as near. */
  function distances(section: string, wrong: string, name: string): boolean {
    const least = editDistance(wrong, name);
    return names.some((key) =>
      key.section === section && key.name !== name && editDistance(wrong, key.name) <= least
    );
  }
});

Deno.test("other names of a key are no names of other keys", () => {
  const keys = allKeys();
  for (const { aka = [], path } of keys) {
    for (const name of aka) assert(!keys.some((key) => key.name === name), `${path}: ${name}`);
  }
});

Deno.test("a name that says its view is pointed to the view's table, not to what changes all views", () => {
  const hint = (name: string, section = "augmentation") =>
    hintForKey(section, name).text.replace("unknown key - did you mean ", "");
  for (
    const [name, ...paths] of [
      ["local_aspect_ratio_min", "local.aspect_ratio_min"],
      ["local_hue", "local.hue"],
      ["local-hue", "local.hue"],
      ["hue_local", "local.hue"],
      ["local_brightnes", "local.brightness"],
      ["local_blur_sigma_max", "local.gaussian_blur_sigma_max"],
      ["global_1_blur_prob", "global_1.gaussian_blur_prob"],
      ["global_2_solarize_prob", "global_2.solarization_prob"],
      ["global_hue", "global_1.hue", "global_2.hue"],
      ["local_crops_scale", "local.crop_scale_max"],
    ]
  ) {
    const wanted = paths.map((path) => `"augmentation.${path}"`).join(" or ");
    assert.equal(hint(name), `${wanted}?`, name);
  }
  assert.equal(hint("local_crop_scale_mn"), '"local_crop_scale_min"?'); // a short form is as near
  assert.equal(hint("solarize_prob", "augmentation.global_2"), '"solarization_prob"?');
  assert.equal(hint("local_hue", "augmentation.global_1"), '"augmentation.local.hue"?');
  assert.match(hint("global_scale"), /the keys of augmentation are /); // near to nothing
});
