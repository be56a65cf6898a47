/**
 * The package behind ONNX files, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

export {
  create,
  createFileRegistry,
  fromBinary,
  type Message,
  toBinary,
} from "npm:@bufbuild/protobuf@2.17.0";
export { FileDescriptorProtoSchema } from "npm:@bufbuild/protobuf@2.17.0/wkt";
