/** An ONNX file as plain data, and its bytes. Field numbers are those of `onnx.proto` (onnx/onnx on GitHub). */

// pbf writes the wire format and nothing else: one module without dependencies at run time, typed, runs in browsers, and
// kept by the people of the vector tile format. The dozen messages that a file needs are spelt out below; libraries that
// work from a schema (protobufjs, onnx-proto's generated code on an old protobufjs) bring more code than this page saves.
import { PbfWriter } from "pbf";
import { CheckpointError } from "../errors.ts";

/** The operator set that the nodes are written in: PyTorch's exporter has the same. onnxruntime reads it from 1.14 on. */
export const opset = 18;

/** Version of the file format that came with that operator set (ONNX 1.13). */
const irVersion = 8;

/** TensorProto.DataType. */
const elementTypes = { f32: 1, i32: 6, i64: 7, bool: 9, u32: 12 } as const;

/** Element types that are exported; shapes and axes are i64. */
export type OnnxType = keyof typeof elementTypes;

/** The number that a `Cast` wants. */
export const elementType = (type: OnnxType): number => elementTypes[type];

/** Whole numbers are written as integers; `{ float }` and strings as what they are. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  /** Names of values; "" leaves out an optional one. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant of the graph, such as a weight. */
export interface OnnxInitializer {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

/** What goes in or comes out. An extent is a number, or a name where it is left open. */
export interface OnnxValueInfo {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** protobuf counts a message's bytes in 31 bits. The last MiB is left to everything that is not a weight. */
const mostBytes = 2 ** 31 - 2 ** 20;

/** Throws CheckpointError where weights of so many bytes do not fit into one file. */
export function checkOnnxSize(bytes: number): void {
  if (bytes <= mostBytes) return;
  const gibibytes = (bytes / 2 ** 30).toFixed(1);
  throw new CheckpointError(
    `exportOnnx: an ONNX file holds at most 2 GiB, but the weights are ${gibibytes} GiB. Export a smaller network, or safetensors.`,
  );
}

/** The bytes of the file. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  const weights = model.initializers.reduce((sum, { bytes }) => sum + bytes.length, 0);
  checkOnnxSize(weights);
  // Room for all of it, because growing means copying. A node takes a few hundred bytes.
  const room = weights + 1024 * (model.nodes.length + model.initializers.length + 8);
  const writer = new PbfWriter(new Uint8Array(room));
  writer.writeVarintField(1, irVersion);
  writer.writeStringField(2, "@ddad/nn");
  writer.writeMessage(7, writeGraph, model);
  writer.writeMessage(8, writeOpset, opset);
  for (const entry of Object.entries(model.metadata)) writer.writeMessage(14, writeMetadata, entry);
  return writer.finish();
}

function writeGraph(model: OnnxModel, writer: PbfWriter): void {
  for (const node of model.nodes) writer.writeMessage(1, writeNode, node);
  writer.writeStringField(2, model.name);
  for (const initializer of model.initializers) writer.writeMessage(5, writeInitializer, initializer);
  for (const info of model.inputs) writer.writeMessage(11, writeValueInfo, info);
  for (const info of model.outputs) writer.writeMessage(12, writeValueInfo, info);
}

function writeNode({ name, op, inputs, outputs, attributes }: OnnxNode, writer: PbfWriter): void {
  for (const input of inputs) writer.writeStringField(1, input);
  for (const output of outputs) writer.writeStringField(2, output);
  writer.writeStringField(3, name);
  writer.writeStringField(4, op);
  for (const attribute of Object.entries(attributes)) writer.writeMessage(5, writeAttribute, attribute);
}

function writeAttribute([name, value]: readonly [string, OnnxAttribute], writer: PbfWriter): void {
  writer.writeStringField(1, name);
  const kinds = { float: 1, int: 2, string: 3, ints: 7 };
  const writeKind = (kind: number): void => writer.writeVarintField(20, kind);
  if (typeof value === "number") {
    writer.writeVarintField(3, value);
    writeKind(kinds.int);
  } else if (typeof value === "string") {
    writer.writeBytesField(4, new TextEncoder().encode(value));
    writeKind(kinds.string);
  } else if ("float" in value) {
    writer.writeFloatField(2, value.float);
    writeKind(kinds.float);
  } else {
    writer.writePackedVarint(8, [...value]);
    writeKind(kinds.ints);
  }
}

function writeInitializer({ name, type, shape, bytes }: OnnxInitializer, writer: PbfWriter): void {
  writer.writePackedVarint(1, [...shape]);
  writer.writeVarintField(2, elementTypes[type]);
  writer.writeStringField(8, name);
  writer.writeBytesField(9, bytes);
}

function writeValueInfo({ name, type, shape }: OnnxValueInfo, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeMessage(2, writeType, { type, shape });
}

type TensorType = Pick<OnnxValueInfo, "type" | "shape">;

/** TypeProto holds a TypeProto.Tensor, which holds a TensorShapeProto, which holds dimensions. */
const writeType = (tensor: TensorType, writer: PbfWriter): void =>
  writer.writeMessage(1, writeTensorType, tensor);

function writeTensorType({ type, shape }: TensorType, writer: PbfWriter): void {
  writer.writeVarintField(1, elementTypes[type]);
  writer.writeMessage(2, writeShape, shape);
}

function writeShape(shape: TensorType["shape"], writer: PbfWriter): void {
  for (const extent of shape) writer.writeMessage(1, writeDimension, extent);
}

function writeDimension(extent: number | string, writer: PbfWriter): void {
  if (typeof extent === "number") writer.writeVarintField(1, extent);
  else writer.writeStringField(2, extent);
}

function writeOpset(version: number, writer: PbfWriter): void {
  writer.writeStringField(1, ""); // the standard operators
  writer.writeVarintField(2, version);
}

function writeMetadata([key, value]: readonly [string, string], writer: PbfWriter): void {
  writer.writeStringField(1, key);
  writer.writeStringField(2, value);
}
