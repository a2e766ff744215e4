/** Reads the parts of an ONNX file that tests check. Field numbers are those of `onnx.proto`. */
import { PbfReader } from "pbf";

export interface OnnxFile {
  name: string;
  opset: number;
  nodes: { name: string; op: string }[];
  initializers: Map<string, { shape: number[]; data: Float32Array }>;
  /** Name → extents, those left open by name. */
  inputs: Record<string, (number | string)[]>;
  outputs: Record<string, (number | string)[]>;
  metadata: Record<string, string>;
}

type Fields<T> = Readonly<Record<number, (result: T, reader: PbfReader) => void>>;

/** Reads a message field by field; fields without a reader are skipped. */
const message = <T>(reader: PbfReader, result: T, fields: Fields<T>): T =>
  reader.readMessage<T>((tag, into) => fields[tag]?.(into, reader), result);

const named = (reader: PbfReader): { name: string; shape: (number | string)[] } =>
  message(
    reader,
    { name: "", shape: [] as (number | string)[] },
    {
      1: (info, r) => {
        info.name = r.readString();
      },
      2: ({ shape }, r) =>
        void message(r, shape, {
          1: (_, type) =>
            void message(type, shape, {
              2: (__, tensor) =>
                void message(tensor, shape, {
                  1: (___, extents) =>
                    void message(extents, shape, {
                      1: (all, extent) => void all.push(extent.readVarint()),
                      2: (all, extent) => void all.push(extent.readString()),
                    }),
                }),
            }),
        }),
    },
  );

const node = (reader: PbfReader): OnnxFile["nodes"][number] =>
  message(
    reader,
    { name: "", op: "" },
    {
      3: (result, r) => {
        result.name = r.readString();
      },
      4: (result, r) => {
        result.op = r.readString();
      },
    },
  );

function initializer(reader: PbfReader): { name: string; shape: number[]; bytes: Uint8Array } {
  return message(
    reader,
    { name: "", shape: [] as number[], bytes: new Uint8Array() },
    {
      1: ({ shape }, r) => void r.readPackedVarint(shape),
      8: (result, r) => {
        result.name = r.readString();
      },
      9: (result, r) => {
        result.bytes = new Uint8Array(r.readBytes());
      },
    },
  );
}

function graph(file: OnnxFile, reader: PbfReader): void {
  message(reader, file, {
    1: ({ nodes }, r) => void nodes.push(node(r)),
    2: (result, r) => {
      result.name = r.readString();
    },
    5: ({ initializers }, r) => {
      const { name, shape, bytes } = initializer(r);
      initializers.set(name, { shape, data: new Float32Array(bytes.buffer) });
    },
    11: ({ inputs }, r) => {
      const { name, shape } = named(r);
      inputs[name] = shape;
    },
    12: ({ outputs }, r) => {
      const { name, shape } = named(r);
      outputs[name] = shape;
    },
  });
}

export function readOnnx(bytes: Uint8Array): OnnxFile {
  const file: OnnxFile = {
    name: "",
    opset: 0,
    nodes: [],
    initializers: new Map(),
    inputs: {},
    outputs: {},
    metadata: {},
  };
  const fields: Fields<OnnxFile> = {
    7: graph,
    8: (result, r) =>
      void message(r, result, {
        2: (into, version) => {
          into.opset = version.readVarint();
        },
      }),
    14: ({ metadata }, r) => {
      const { key, value } = message(
        r,
        { key: "", value: "" },
        {
          1: (entry, text) => {
            entry.key = text.readString();
          },
          2: (entry, text) => {
            entry.value = text.readString();
          },
        },
      );
      metadata[key] = value;
    },
  };
  return new PbfReader(bytes).readFields((tag, result, reader) => fields[tag]?.(result, reader), file);
}
