/** Every operation with a translation to ONNX: the kernels' own cases, run by ONNX Runtime, against the f64 references. */
import { type Case, type CaseInput, type Kernel, kernels, prepareCase, type Shape } from "@ddad/kernels-wgsl";
import { adaptiveAveragePool, averagePool, record, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { Module } from "../src/module.ts";
import { exportOnnx } from "../src/onnx/exportOnnx.ts";
import { rows } from "../src/onnx/ops/elementwise.ts";
import { translators } from "../src/onnx/ops/index.ts";
import { type OnnxArray, onnxRuntimeRunner } from "../src/onnx/parity.ts";
import { fileOrder } from "../src/onnx/translation.ts";
import { transpose } from "../src/onnx/transpose.ts";
import { elements } from "../src/stateDict.ts";
import { largestDifference } from "./golden.ts";
import { ort } from "./onnxRuntime.ts";

/** Largest difference, relative to the largest number expected where that is not zero. What is not finite must be the same. */
function differenceOf(got: number[], expected: Float32Array): number {
  const differ = got.filter((value, k) => !Number.isFinite(expected[k]) && !Object.is(value, expected[k]));
  if (differ.length) return Number.POSITIVE_INFINITY;
  const [left, right] = [got, Array.from(expected)].map((values) =>
    values.map((value, k) => (Number.isFinite(expected[k]) ? value : 0)),
  ) as [number[], number[]];
  return right.every((value) => value === 0)
    ? Math.max(0, ...left.map(Math.abs))
    : largestDifference(left, Float32Array.from(right));
}

class Nothing extends Module {}

/** Elements of a tensor as the file wants them, and back. */
const toFile = (values: ArrayLike<number>, shape: Shape): OnnxArray => {
  const order = fileOrder(shape.length);
  return {
    shape: order.map((axis) => shape[axis]!),
    data: transpose(Float32Array.from(values), shape, order),
  };
};

/** `pad` can also put zeros between elements, for the gradient of `slice`. That is not translated. */
const spreads = (attrs: { readonly before?: unknown; readonly step?: readonly number[] }): boolean =>
  attrs.before !== undefined && (attrs.step ?? []).some((distance) => distance > 1);

/** What the export refuses of pools, and padding that ONNX Runtime refuses: as wide as a window has taps. */
const withoutWindows = (
  name: string,
  attrs: {
    readonly size?: unknown;
    readonly kernelSize: number | readonly number[];
    readonly padding: number | readonly number[];
    readonly ceilMode?: boolean;
    readonly countIncludePad?: boolean;
  },
): boolean =>
  attrs.size !== undefined ||
  (name === "averagePool" && attrs.ceilMode === true && attrs.countIncludePad !== false) ||
  Math.max(...[attrs.padding].flat()) >= Math.max(...[attrs.kernelSize].flat());

const sizeOf = (input: CaseInput | Shape): number => elements("shape" in input ? input.shape : input);

/** What a plan makes of several operations is never recorded. */
const hasEpilogue = (attrs: { readonly epilogue?: unknown } | undefined): boolean =>
  attrs?.epilogue !== undefined;

/** Steps that have no translation, and rows whose operators ONNX Runtime does not have in that type. */
const untranslated = (name: string, attrs: unknown): boolean =>
  / [iu]32 |^where bool/.test(name) ||
  (attrs as { expression: { steps: readonly { op: string }[] } }).expression.steps.some(
    ({ op }) => !(op in rows),
  );

/** Cases that have a translation, without the large ones and those of tensors without elements. */
const usable = (name: string, { name: example, bench, benchOnly, attrs, inputs }: Case): boolean =>
  !bench &&
  !(name === "elementwise" && untranslated(example, attrs)) &&
  !(name.endsWith("Pool") && withoutWindows(name, attrs as Parameters<typeof withoutWindows>[1])) &&
  !benchOnly &&
  !spreads(attrs as object) &&
  !hasEpilogue(attrs as object) &&
  Object.values(inputs).every(
    (input) =>
      sizeOf(input!) > 0 && sizeOf(input!) <= 2 ** 16 && (!("dtype" in input!) || input.dtype !== "f16"),
  );

const tolerances: Readonly<Record<string, number>> = {
  // x · scale + (shift − mean · scale) is what ONNX Runtime's InstanceNormalization computes: it cancels where means are large.
  "groupNorm: mean far from zero": 5e-4,
  // ONNX Runtime adds up one by one.
  "sum: rows of equal values": 1e-5,
};

const names = Object.keys(translators).filter((name) => name !== "reshape");

for (const weights of ["inputs", "constants"] as const) {
  describe(`ONNX: operations, operands behind the first as ${weights}`, () => {
    for (const name of names) {
      it(name, async () => {
        const kernel = kernels.find((candidate) => candidate.name === name) as Kernel;
        const made = kernel.outputs[0]!;
        const cases = kernel.cases
          .filter((example) => usable(name, example))
          .map((example, k) => ({ k, example, ...prepareCase(kernel, example) }))
          // ONNX Runtime refuses some images without pixels; ONNX says nothing of NaN and infinities.
          .filter(({ call }) => elements(call.outputs[made]!.shape) > 0)
          .filter(({ values }) => Object.values(values).every((all) => all.every(Number.isFinite)));
        expect(cases).to.not.be.empty;
        const isInput = (input: string): boolean => weights === "inputs" || input === kernel.inputs[0];
        const inputs: Record<string, Shape> = {};
        const feeds: Record<string, OnnxArray> = {};
        for (const { k, call, values } of cases) {
          for (const [input, { shape }] of Object.entries(call.inputs).filter(([input]) => isInput(input))) {
            inputs[`${input}_${k}`] = shape;
            feeds[`${input}_${k}`] = toFile(values[input]!, shape);
          }
        }
        const forward = (given: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
          Object.fromEntries(
            cases.map(({ k, call, values }) => {
              const operands = Object.entries(call.inputs).map(([input, { shape, dtype }]) => [
                input,
                given[`${input}_${k}`]?.cast(dtype) ?? tensor(values[input]!, shape, { dtype }),
              ]);
              return [`y_${k}`, record(kernel, Object.fromEntries(operands), call.attrs)[made]!];
            }),
          );
        const file = await exportOnnx({ name, module: new Nothing(), inputs, forward });
        const { run, release } = await onnxRuntimeRunner(ort, file);
        const got = await run(feeds);
        await release();
        for (const { k, example, call, values } of cases) {
          const { shape } = call.outputs[made]!;
          const expected = toFile(kernel.reference(values, call)[made]!, shape);
          const { shape: gotShape, data } = got[`y_${k}`]!;
          expect(gotShape, example.name).to.deep.equal(expected.shape);
          const difference = differenceOf([...data], expected.data);
          const tolerance = tolerances[`${name}: ${example.name}`] ?? example.tolerance ?? 1e-5;
          expect(difference, example.name).to.be.at.most(tolerance);
        }
      });
    }
  });
}

it("ONNX: an epilogue is refused, which no recording has", async () => {
  const conv2d = kernels.find(({ name }) => name === "conv2d") as Kernel;
  const example = conv2d.cases.find(({ attrs }) => hasEpilogue(attrs as object))!;
  const { call, values } = prepareCase(conv2d, example);
  const operands = Object.entries(call.inputs).map(([name, { shape }]) => [
    name,
    tensor(values[name]!, shape),
  ]);
  const forward = ({ x }: Readonly<Record<string, Tensor>>) => ({
    y: record(conv2d, { ...Object.fromEntries(operands), x: x! }, call.attrs)["y"]!,
  });
  const inputs = { x: call.inputs["x"]!.shape };
  const failure = await exportOnnx({ name: "epilogue", module: new Nothing(), inputs, forward }).catch(
    String,
  );
  expect(failure).to.match(/exportOnnx: conv2d has an epilogue, which only the plans of this library have/);
});

it("ONNX: pools that runtimes do not agree on, or that ONNX has not, are refused", async () => {
  const failureOf = async (forward: (x: Tensor) => Tensor): Promise<string> => {
    const given = { name: "pool", module: new Nothing(), inputs: { x: [1, 5, 5, 2] } };
    try {
      await exportOnnx({ ...given, forward: ({ x }) => ({ y: forward(x!) }) });
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  expect(await failureOf((x) => adaptiveAveragePool(x, [2, 3]))).to.match(
    /exportOnnx: averagePool of Tensor f32 \[1, 5, 5, 2\] to 2×3 has windows of several sizes/,
  );
  expect(await failureOf((x) => averagePool(x, { kernelSize: 2, ceilMode: true }))).to.match(
    /exportOnnx: averagePool of Tensor f32 \[1, 5, 5, 2\] has windows that reach past a padding that counts/,
  );
  const uncounted = { kernelSize: 2, ceilMode: true, countIncludePad: false };
  expect(await failureOf((x) => averagePool(x, uncounted))).to.equal("");
});
