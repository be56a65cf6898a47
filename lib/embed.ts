/**
 * From pictures to features: a run's model, opened.
 *
 * @example Features of a folder
 * ```ts ignore
 * import { openDataset } from "@hatchling/hatchling/data";
 * import { openModel } from "@hatchling/hatchling/embed";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const { whole, indices } = await (await openModel("runs/a")).encode(gpu, await openDataset({ path: "photos" }));
 * console.log(whole.shape, indices.length);
 * ```
 *
 * @module
 */
export {
  type EncodeModelOptions,
  type LoadedModel,
  OpenedModel,
  openModel,
  type OpenModelOptions,
} from "./open_model.ts";
