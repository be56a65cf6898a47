/**
 * The part of ONNX's schema that a network needs, as a descriptor for the protobuf library: names and numbers are those
 * of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import {
  create,
  createFileRegistry,
  FileDescriptorProtoSchema,
  fromBinary,
  toBinary,
} from "../deps.ts";

/** Types of fields in google/protobuf/descriptor.proto. */
const FLOAT = 2, INT64 = 3, INT32 = 5, STRING = 9, MESSAGE = 11, BYTES = 12;
const OPTIONAL = 1, REPEATED = 3;

type Field = readonly [name: string, number: number, type: number | string, repeated?: true];

const MESSAGES: Readonly<Record<string, readonly Field[]>> = {
  ModelProto: [
    ["ir_version", 1, INT64],
    ["producer_name", 2, STRING],
    ["producer_version", 3, STRING],
    ["doc_string", 6, STRING],
    ["graph", 7, "GraphProto"],
    ["opset_import", 8, "OperatorSetIdProto", true],
    ["metadata_props", 14, "StringStringEntryProto", true],
  ],
  OperatorSetIdProto: [["domain", 1, STRING], ["version", 2, INT64]],
  StringStringEntryProto: [["key", 1, STRING], ["value", 2, STRING]],
  GraphProto: [
    ["node", 1, "NodeProto", true],
    ["name", 2, STRING],
    ["initializer", 5, "TensorProto", true],
    ["input", 11, "ValueInfoProto", true],
    ["output", 12, "ValueInfoProto", true],
  ],
  NodeProto: [
    ["input", 1, STRING, true],
    ["output", 2, STRING, true],
    ["name", 3, STRING],
    ["op_type", 4, STRING],
    ["attribute", 5, "AttributeProto", true],
  ],
  AttributeProto: [
    ["name", 1, STRING],
    ["f", 2, FLOAT],
    ["i", 3, INT64],
    ["ints", 8, INT64, true],
    ["type", 20, INT32],
  ],
  TensorProto: [
    ["dims", 1, INT64, true],
    ["data_type", 2, INT32],
    ["name", 8, STRING],
    ["raw_data", 9, BYTES],
  ],
  ValueInfoProto: [["name", 1, STRING], ["type", 2, "TypeProto"], ["doc_string", 3, STRING]],
  TypeProto: [["tensor_type", 1, "TensorTypeProto"]],
  TensorTypeProto: [["elem_type", 1, INT32], ["shape", 2, "TensorShapeProto"]],
  TensorShapeProto: [["dim", 1, "DimensionProto", true]],
  DimensionProto: [["dim_value", 1, INT64], ["dim_param", 2, STRING]],
};

/** A number of elements, a name (a size that is known when the network runs). */
export interface Dimension {
  dimValue?: bigint;
  dimParam?: string;
}

/** An input or output of a network. */
export interface ValueInfo {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: Dimension[] } } };
  docString?: string;
}

/** A setting of a node. */
export interface Attribute {
  name: string;
  /** 1 a float, 2 a whole number, 7 whole numbers. */
  type: number;
  f?: number;
  i?: bigint;
  ints?: bigint[];
}

/** One operation. */
export interface Node {
  name: string;
  opType: string;
  input: string[];
  output: string[];
  attribute: Attribute[];
}

/** A tensor of fixed values. */
export interface Initializer {
  name: string;
  dims: bigint[];
  dataType: number;
  rawData: Uint8Array;
}

/** A network as the file holds it. */
export interface Graph {
  name: string;
  node: Node[];
  initializer: Initializer[];
  input: ValueInfo[];
  output: ValueInfo[];
}

/** The file. */
export interface Model {
  irVersion: bigint;
  producerName: string;
  producerVersion: string;
  docString: string;
  opsetImport: { domain: string; version: bigint }[];
  metadataProps: { key: string; value: string }[];
  graph: Graph;
}

/** `ModelProto`, made when it is first needed. */
let model: ReturnType<ReturnType<typeof createFileRegistry>["getMessage"]>;

function modelProto() {
  if (model) return model;
  const file = create(FileDescriptorProtoSchema, {
    name: "onnx.proto",
    package: "onnx",
    syntax: "proto2",
    messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
      name,
      field: fields.map(([name, number, type, repeated]) => ({
        name,
        number,
        label: repeated ? REPEATED : OPTIONAL,
        type: typeof type === "string" ? MESSAGE : type,
        typeName: typeof type === "string" ? `.onnx.${type}` : undefined,
      })),
    })),
  });
  return model = createFileRegistry(file, () => undefined).getMessage("onnx.ModelProto")!;
}

/** Most bytes of one message of protocol buffers. */
export const MOST_BYTES = 2 ** 31 - 1;

/**
 * The bytes of a file.
 *
 * @throws {HatchlingError} When its weights are more than one message may hold.
 */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  const bytes = model.graph.initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
  if (bytes > MOST_BYTES - 2 ** 24) {
    throw new HatchlingError(
      `Expected at most 2 GiB of weights in an ONNX file but found ${
        (bytes / 2 ** 30).toFixed(1)
      } GiB: ` +
        "take --dtype f16, or --to safetensors",
    );
  }
  const schema = modelProto();
  return toBinary(schema, create(schema, { ...model })) as Uint8Array<ArrayBuffer>;
}

/** What a file holds, of the fields that are written here. */
export function decodeModel(bytes: Uint8Array): Model {
  return fromBinary(modelProto()!, bytes) as unknown as Model;
}
