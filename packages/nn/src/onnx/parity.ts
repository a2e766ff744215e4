/** Whether another runtime gives, for an exported file, what this library does. */
import { evaluate, ShapeError, tensor } from "@ddad/tensor";
import { checkKind } from "../arguments.ts";
import { elements } from "../stateDict.ts";
import { checkSource, type OnnxSource } from "./source.ts";
import { inEvaluation } from "./trace.ts";
import { fileOrder } from "./translation.ts";
import { transpose } from "./transpose.ts";

/** An f32 array as a runtime takes and gives it: row-major, with the axes that the file says. */
export interface OnnxArray {
  /** Extents of the axes, outermost first. */
  readonly shape: readonly number[];
  /** Elements, row-major. */
  readonly data: Float32Array;
}

/** The inputs or the outputs of a file, by name. */
export type OnnxArrays = Readonly<Record<string, OnnxArray>>;

/** Runs a file once. */
export type OnnxRunner = (inputs: OnnxArrays) => Promise<OnnxArrays>;

/** How far one output is from this library's. */
export interface OnnxDifference {
  /** Name of the output. */
  readonly output: string;
  /** As the file says, channels before height and width. */
  readonly shape: readonly number[];
  /** Largest |difference|. */
  readonly absolute: number;
  /** The same relative to the largest |value| of this library; infinite where a value is NaN. */
  readonly relative: number;
}

/**
 * Runs `source` here and its file there on the same inputs and compares every output.
 *
 * @param inputs with the axes of the file (NCHW), in any batch size
 * @throws ShapeError where an output is missing or has another shape
 */
export async function compareOnnx(
  source: OnnxSource,
  inputs: OnnxArrays,
  run: OnnxRunner,
): Promise<OnnxDifference[]> {
  checkSource("compareOnnx", source);
  for (const [name, array] of Object.entries(Object(inputs) as OnnxArrays))
    checkKind("compareOnnx", `input ${name}`, array, Array.isArray(array?.shape), "{ shape, data }");
  checkKind("compareOnnx", "run", run, typeof run === "function", "a function of the inputs");
  const theirs = await run(inputs);
  const own = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => {
      const order = inverse(fileOrder(shape.length));
      return [
        name,
        tensor(
          transpose(data, shape, order),
          order.map((axis) => shape[axis]!),
        ),
      ];
    }),
  );
  const outputs = inEvaluation(source.module, () => source.forward(own));
  await evaluate(...Object.values(outputs));
  const differences: OnnxDifference[] = [];
  for (const [output, ours] of Object.entries(outputs)) {
    const order = fileOrder(ours.shape.length);
    const shape = order.map((axis) => ours.shape[axis]!);
    const got = theirs[output];
    if (got?.shape.join() !== shape.join() || got.data.length !== elements(shape)) {
      const what = got ? `is [${got.shape.join(", ")}]` : "is missing";
      throw new ShapeError(`compareOnnx: the output ${output} ${what}, but is [${shape.join(", ")}] here.`);
    }
    const expected = transpose(await ours.data(), ours.shape, order);
    differences.push({ output, shape, ...difference(got.data, expected) });
  }
  return differences;
}

const inverse = (order: readonly number[]): number[] => order.map((_, axis) => order.indexOf(axis));

function difference(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
): Pick<OnnxDifference, "absolute" | "relative"> {
  let absolute = 0;
  let largest = 0;
  for (let k = 0; k < expected.length; k++) {
    const distance = Math.abs(got[k]! - expected[k]!);
    if (Number.isNaN(distance))
      return { absolute: Number.POSITIVE_INFINITY, relative: Number.POSITIVE_INFINITY };
    absolute = Math.max(absolute, distance);
    largest = Math.max(largest, Math.abs(expected[k]!));
  }
  return { absolute, relative: absolute === 0 ? 0 : absolute / largest };
}

/** The part of `onnxruntime-web` and `onnxruntime-node` that a runner needs. */
export interface OnnxRuntime {
  /** Opens a model from the bytes of its file. */
  readonly InferenceSession: {
    create(model: Uint8Array): Promise<OnnxSession>;
  };
  /** Its class of arrays. */
  readonly Tensor: new (
    type: "float32",
    data: Float32Array,
    shape: readonly number[],
  ) => OnnxRuntimeTensor;
}

export interface OnnxRuntimeTensor {
  readonly dims: readonly number[];
  readonly data: unknown;
}

export interface OnnxSession {
  run(feeds: Record<string, OnnxRuntimeTensor>): Promise<Readonly<Record<string, OnnxRuntimeTensor>>>;
  release(): Promise<void>;
}

/** Loads a file into ONNX Runtime, which the caller imports: this library does not depend on it. */
export async function onnxRuntimeRunner(
  runtime: OnnxRuntime,
  model: Uint8Array,
): Promise<{ readonly run: OnnxRunner; release(): Promise<void> }> {
  const canCreate = typeof runtime?.InferenceSession?.create === "function";
  checkKind(
    "onnxRuntimeRunner",
    "the runtime",
    runtime,
    canCreate,
    "the module onnxruntime-web or onnxruntime-node",
  );
  const session = await runtime.InferenceSession.create(model);
  const run: OnnxRunner = async (inputs) => {
    const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
      name,
      new runtime.Tensor("float32", data, shape),
    ]);
    const outputs = Object.entries(await session.run(Object.fromEntries(feeds)));
    return Object.fromEntries(
      outputs.map(([name, { dims, data }]) => [name, { shape: dims, data: data as Float32Array }]),
    );
  };
  return { run, release: () => session.release() };
}
