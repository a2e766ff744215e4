/** Reads ONNX models and tensors from their protobuf files. Field numbers are those of `onnx.proto`. */
import { PbfReader } from "pbf";

/** TensorProto.DataType by its number, and the bytes of one element in `raw_data`. */
const elementTypes: Readonly<
  Record<number, readonly [name: ElementType, read?: ReadElement, bytes?: number]>
> = {
  1: ["float", (view, at) => view.getFloat32(at, true), 4],
  2: ["uint8", (view, at) => view.getUint8(at), 1],
  3: ["int8", (view, at) => view.getInt8(at), 1],
  4: ["uint16", (view, at) => view.getUint16(at, true), 2],
  5: ["int16", (view, at) => view.getInt16(at, true), 2],
  6: ["int32", (view, at) => view.getInt32(at, true), 4],
  7: ["int64", (view, at) => Number(view.getBigInt64(at, true)), 8],
  8: ["string"],
  9: ["bool", (view, at) => view.getUint8(at), 1],
  10: ["float16", (view, at) => f16ToNumber(view.getUint16(at, true)), 2],
  11: ["double", (view, at) => view.getFloat64(at, true), 8],
  12: ["uint32", (view, at) => view.getUint32(at, true), 4],
  13: ["uint64", (view, at) => Number(view.getBigUint64(at, true)), 8],
  14: ["complex64"],
  15: ["complex128"],
  16: ["bfloat16"],
};

type ReadElement = (view: DataView, at: number) => number;

/** Element types under the names that ONNX's text format has. */
export type ElementType =
  | "float"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "int32"
  | "int64"
  | "string"
  | "bool"
  | "float16"
  | "double"
  | "uint32"
  | "uint64"
  | "complex64"
  | "complex128"
  | "bfloat16";

/** The name of an element type that an attribute gives by its number. */
export function elementType(number: number): ElementType {
  const entry = elementTypes[number];
  if (!entry) throw new Error(`ONNX element type ${number} is unknown.`);
  return entry[0];
}

/** A tensor as numbers. Strings, complex numbers and bfloat16 keep no values: nothing here computes with them. */
export interface ProtoTensor {
  name: string;
  type: ElementType;
  shape: number[];
  values: number[];
}

/** An attribute: the field that is set says its kind. */
export interface ProtoAttribute {
  name: string;
  float?: number;
  int?: number;
  text?: string;
  tensor?: ProtoTensor;
  floats: number[];
  ints: number[];
  texts: string[];
}

/** What a graph takes: tensors of a type, or what is none. */
export interface ProtoInput {
  name: string;
  type: ElementType | "sequence" | "optional" | "map";
}

export interface ProtoNode {
  op: string;
  domain: string;
  /** "" stands for an optional input or output that is left out. */
  inputs: string[];
  outputs: string[];
  attributes: Map<string, ProtoAttribute>;
}

export interface ProtoModel {
  /** Version of the default operator set. */
  opset: number;
  nodes: ProtoNode[];
  initializers: ProtoTensor[];
  inputs: ProtoInput[];
  outputs: string[];
}

type Fields<T> = Readonly<Record<number, (result: T, reader: PbfReader) => void>>;

/** Reads a message field by field; fields without a reader are skipped. */
const message = <T>(reader: PbfReader, result: T, fields: Fields<T>): T =>
  reader.readMessage<T>((tag, into) => fields[tag]?.(into, reader), result);

/** Bits of an f16 as f64. */
function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

interface RawTensor {
  name: string;
  type: number;
  shape: number[];
  values: number[];
  bytes?: Uint8Array;
}

const tensorFields: Fields<RawTensor> = {
  1: ({ shape }, r) => void r.readPackedVarint(shape),
  2: (tensor, r) => {
    tensor.type = r.readVarint();
  },
  4: ({ values }, r) => void r.readPackedFloat(values),
  5: ({ values }, r) => void r.readPackedVarint(values, true),
  7: ({ values }, r) => void r.readPackedVarint(values, true),
  8: (tensor, r) => {
    tensor.name = r.readString();
  },
  9: (tensor, r) => {
    tensor.bytes = r.readBytes();
  },
  10: ({ values }, r) => void r.readPackedDouble(values),
  11: ({ values }, r) => void r.readPackedVarint(values),
};

const newTensor = (): RawTensor => ({ name: "", type: 0, shape: [], values: [] });

function finishTensor({ name, type, shape, values, bytes }: RawTensor): ProtoTensor {
  const [typeName, read, size] = elementTypes[type] ?? ["string" as const];
  if (bytes && read && size) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at += size) values.push(read(view, at));
  } else if (typeName === "float16") {
    return { name, type: typeName, shape, values: values.map(f16ToNumber) };
  }
  return { name, type: typeName, shape, values };
}

const tensor = (reader: PbfReader): ProtoTensor => finishTensor(message(reader, newTensor(), tensorFields));

const attributeFields: Fields<ProtoAttribute> = {
  1: (attribute, r) => {
    attribute.name = r.readString();
  },
  2: (attribute, r) => {
    attribute.float = r.readFloat();
  },
  3: (attribute, r) => {
    attribute.int = r.readVarint(true);
  },
  4: (attribute, r) => {
    attribute.text = r.readString();
  },
  5: (attribute, r) => {
    attribute.tensor = tensor(r);
  },
  7: ({ floats }, r) => void r.readPackedFloat(floats),
  8: ({ ints }, r) => void r.readPackedVarint(ints, true),
  9: ({ texts }, r) => void texts.push(r.readString()),
};

const nodeFields: Fields<ProtoNode> = {
  1: ({ inputs }, r) => void inputs.push(r.readString()),
  2: ({ outputs }, r) => void outputs.push(r.readString()),
  4: (node, r) => {
    node.op = r.readString();
  },
  5: ({ attributes }, r) => {
    const attribute = message<ProtoAttribute>(
      r,
      { name: "", floats: [], ints: [], texts: [] },
      attributeFields,
    );
    attributes.set(attribute.name, attribute);
  },
  7: (node, r) => {
    node.domain = r.readString();
  },
};

const typeFields: Fields<ProtoInput> = {
  1: (input, r) =>
    void message(r, input, {
      1: (into, tensorType) => {
        into.type = elementType(tensorType.readVarint());
      },
    }),
  4: (input) => {
    input.type = "sequence";
  },
  5: (input) => {
    input.type = "map";
  },
  9: (input) => {
    input.type = "optional";
  },
};

const readValueInfo = (reader: PbfReader): ProtoInput =>
  message<ProtoInput>(
    reader,
    { name: "", type: "float" },
    {
      1: (info, r) => {
        info.name = r.readString();
      },
      2: (info, r) => void message(r, info, typeFields),
    },
  );

const graphFields: Fields<ProtoModel> = {
  1: ({ nodes }, r) =>
    void nodes.push(
      message<ProtoNode>(
        r,
        { op: "", domain: "", inputs: [], outputs: [], attributes: new Map() },
        nodeFields,
      ),
    ),
  5: ({ initializers }, r) => void initializers.push(tensor(r)),
  11: ({ inputs }, r) => void inputs.push(readValueInfo(r)),
  12: ({ outputs }, r) => void outputs.push(readValueInfo(r).name),
};

const modelFields: Fields<ProtoModel> = {
  7: (model, r) => void message(r, model, graphFields),
  8: (model, r) => {
    const { domain, version } = message(
      r,
      { domain: "", version: 0 },
      {
        1: (entry, into) => {
          entry.domain = into.readString();
        },
        2: (entry, into) => {
          entry.version = into.readVarint();
        },
      },
    );
    if (domain === "" || domain === "ai.onnx") model.opset = version;
  },
};

/** The graph of a `.onnx` file. */
export function readModel(bytes: Uint8Array): ProtoModel {
  const model: ProtoModel = { opset: 1, nodes: [], initializers: [], inputs: [], outputs: [] };
  return new PbfReader(bytes).readFields((tag, into, reader) => modelFields[tag]?.(into, reader), model);
}

/** The tensor of a `.pb` file of test data. */
export function readTensor(bytes: Uint8Array): ProtoTensor {
  const reader = new PbfReader(bytes);
  return finishTensor(reader.readFields((tag, into) => tensorFields[tag]?.(into, reader), newTensor()));
}
