/**
 * Files of weights that bring no configuration: it is completed by what they tell.
 *
 * @module
 */
import { type Config, givenValues, type Override, parseConfig } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { findNetwork } from "../io/names/networks.ts";
import { toFloat32 } from "../io/dtype.ts";
import type { WeightsFile } from "../io/tensor_file.ts";
import { shown } from "../text.ts";
import { identify } from "./identify/identify.ts";
import { checkAgainst, settingsOf } from "./identify/settings.ts";
import type { Identified } from "./identify/types.ts";

/** What is said beside the file. */
export interface RecogniseOptions {
  /** The configuration's text, as far as there is one. */
  text?: string;
  /** How messages call it. */
  name?: string;
  /** What the command line sets, where there is one. */
  overrides?: readonly Override[];
  /** Which network of the file, as of `findNetwork`. */
  part?: string;
  /** It is to be used, not trained: where the file has no head, the smallest stands in its place. */
  inUse?: boolean;
  /** Told what is odd about the configuration. */
  onWarning?: (line: string) => void;
}

/** A configuration that fits a file. */
export interface Recognised {
  /** What was said, and for the rest what the file tells. */
  config: Config;
  /** What either sets. */
  given: Map<string, unknown>;
  /** The model in the file. */
  found: Identified;
}

/** No output of a head is looked at. */
const SMALLEST: readonly Override[] = [
  ["output_dim", "2"],
  ["hidden_dim", "1"],
  ["bottleneck_dim", "1"],
].map(([key, value]) => ({ key: `model.projection_${key}`, value }));

/**
 * Recognises the model in a file, and completes a configuration by it.
 *
 * @throws {HatchlingError} When the file holds no known model, or the configuration says something else.
 */
export async function recognise(
  reader: WeightsFile,
  options: RecogniseOptions = {},
): Promise<Recognised> {
  const { text = "{}", name = "the command line", overrides = [], part, onWarning } = options;
  const said = givenValues(text, { overrides }), heads = said.get("model.heads");
  const found = identify(reader.entries, {
    file: reader.file,
    part,
    config: reader.config,
    preprocessor: reader.preprocessor,
    heads: typeof heads === "number" ? heads : undefined,
    commandLine: options.overrides !== undefined,
  });
  await checkPeriods(reader, part, found);
  const smallest = options.inUse && !found.projection ? SMALLEST : [];
  const more = [...settingsOf(found, said), ...smallest.filter(({ key }) => !said.has(key))];
  const all = { overrides: [...more, ...overrides] };
  const config = parseConfig(text, { ...all, file: name, onWarning });
  checkAgainst(reader.file, config, found);
  return { config, given: givenValues(text, all), found };
}

/** Rotary positions are made anew, so those in the file must be of the same periods: base^(j / n). */
async function checkPeriods(
  reader: WeightsFile,
  part: string | undefined,
  { model: { rope_base: base } }: Identified,
): Promise<void> {
  const { tensors } = findNetwork(reader.file, reader.entries.values(), part);
  const entry = tensors.get("rope_embed.periods");
  if (!entry || !base) return;
  const periods = toFloat32(await reader.read(entry.name));
  const wrong = periods.findIndex((period, j) => {
    const ours = base ** (j / periods.length);
    return !(Math.abs(period - ours) <= 0.01 * ours); // they may be stored as bfloat16
  });
  if (wrong < 0) return;
  throw new HatchlingError(
    `Expected rotary positions of base ${base} in ${shown(reader.file)} but found a period of ${
      periods[wrong]
    } at ${wrong}: such positions are not supported`,
  );
}
