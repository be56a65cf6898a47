import assert from "node:assert/strict";
import { Decoder } from "../../lib/data/decoder.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { decodeTest, filesTest, plain, put, rgbAt } from "./support.ts";

const workerUrl = new URL("./fixtures/odd_worker.ts", import.meta.url);

decodeTest(
  "Decoder gives results in order and names bad files with any number of workers",
  async () => {
    const sources = Array.from({ length: 20 }, (_, i) => ({
      name: `${i}.png`,
      bytes: i % 5 === 3 ? new Uint8Array(i).fill(7) : plain(1 + i, 2, [i, 2 * i, 255]),
    }));
    for (const workers of [1, 3]) {
      using decoder = new Decoder({ workers });
      const progress: number[] = [];
      const results = await decoder.decodeAll(sources, (done, total) => progress.push(done, total));
      results.forEach(({ file, picture, reason }, i) => {
        assert.equal(file, `${i}.png`);
        if (i % 5 === 3) assert.match(reason!, /not a PNG, JPEG, GIF or WebP/);
        else {
          assert.equal(picture!.width, 1 + i);
          assert.deepEqual(rgbAt(picture!, i, 1), [i, 2 * i, 255]);
        }
      });
      assert.deepEqual(progress.slice(-2), [20, 20]);
    }
  },
);

filesTest(
  "Decoder reads paths inside its workers and reports what cannot be read",
  async (folder) => {
    const path = await put(folder, "a.png", plain(8, 8, [9, 8, 7]));
    using decoder = new Decoder({ workers: 1, maxPixels: 16 });
    const [good, missing, text] = await decoder.decodeAll([
      path,
      `${folder}/nowhere.png`,
      await put(folder, "text.png", new TextEncoder().encode("just a text")),
    ]);
    assert.deepEqual([good.picture!.width, good.picture!.height], [4, 4]);
    assert.match(missing.reason!, /NotFound/);
    assert.match(text.reason!, /not a PNG, JPEG, GIF or WebP: the file starts with "just a text"/);
  },
);

decodeTest("Decoder decodes to the channels that it is asked for", async () => {
  for (const channels of [1, 3, 4] as const) {
    using decoder = new Decoder({ workers: 1, channels });
    const { picture } = await decoder.decode({ name: "a.png", bytes: plain(2, 1, [10, 200, 30]) });
    assert.equal(picture!.channels ?? 3, channels);
    const first =
      { 1: [124, 124, 124, 255], 3: [10, 200, 30, 255], 4: [10, 200, 30, 255] }[channels];
    assert.deepEqual([...picture!.data.subarray(0, 4)], first);
    assert.equal(picture!.data.length, channels === 4 ? 16 : 8);
  }
});

decodeTest("Decoder replaces a worker that dies, hangs or ends, and names its file", async () => {
  using decoder = new Decoder({ workers: 2, workerUrl, timeoutMs: 1000 });
  const files = ["1", "die", "22", "hang", "333", "end", "4444", "die again", "55555"];
  const results = await decoder.decodeAll(files);
  for (const { file, picture, reason } of results) {
    if (file.includes("die")) assert.match(reason!, /worker died .*killed by its file/);
    else if (/hang|end/.test(file)) assert.equal(reason, "decoding took longer than 1 s");
    else assert.equal(picture!.data[0], file.length);
  }
});

decodeTest("Decoder rejects every file when no worker can start", async () => {
  for (
    const [how, pattern] of [["dead", /Pictures cannot be decoded: .*dead on arrival/], [
      "refuse",
      /no codecs here$/,
    ]] as const
  ) {
    using decoder = new Decoder({ workers: 2, workerUrl: `${workerUrl}?${how}` });
    for (const result of await Promise.allSettled([decoder.decode("a"), decoder.decode("b")])) {
      assert.equal(result.status, "rejected");
      assert.ok(result.reason instanceof HatchlingError);
      assert.match(result.reason.message, pattern);
    }
    await assert.rejects(decoder.decode("c"), pattern); // and says why, not only that it is closed
  }
});

decodeTest("Decoder.close() rejects what is waiting and ends all workers", async () => {
  const decoder = new Decoder({ workers: 1, workerUrl, timeoutMs: 5000 });
  assert.ok((await decoder.decode("fine")).picture);
  const waiting = Promise.allSettled([decoder.decode("hang"), decoder.decode("fine")]);
  decoder.close();
  decoder.close();
  for (const result of await waiting) {
    assert.equal(result.status, "rejected");
    assert.match(String(result.reason), /decoder is closed/);
  }
  await assert.rejects(decoder.decode("late"), /decoder is closed/);
});

Deno.test("Decoder throws when it is given no workers, no pixels or other channels", () => {
  for (const workers of [0, -1, 1.5, NaN]) {
    assert.throws(() => new Decoder({ workers }), /at least 1 decoding worker but found/);
  }
  for (const channels of [0, 2, 5, NaN]) {
    assert.throws(
      () => new Decoder({ channels: channels as 3 }),
      /Expected 1 .* or 4 .*but found/,
    );
  }
  for (const maxPixels of [0, NaN]) assert.throws(() => new Decoder({ maxPixels }), HatchlingError);
});
