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
 * const model = await openModel("runs/a"), photos = await openDataset({ path: "photos" });
 * const { whole, indices } = await model.encode(gpu, photos);
 * console.log(whole.shape, indices.length);
 * photos.close?.(); // its workers would keep the script alive
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
