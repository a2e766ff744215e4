/**
 * Derivatives of ONNX's models: in one random direction, `grad` on the device against the central difference of the f64
 * references that the recorded kernels have.
 */
import { type AnyTensor, grad, HostRandom, mul, sum, type Tensor, tensor } from "@ddad/nn";
import { captureWithValues } from "../../../tensor/test/interpret.ts";
import { type BackendCase, readDataSets } from "./data.ts";
import { kinks } from "./gradientExceptions.ts";
import { runGraph } from "./graph.ts";
import { bind } from "./outcome.ts";

/** `fits`: gradient and difference agree. `kink`: excused in gradientExceptions.ts. `none`: no float leads to a float. */
export interface GradientOutcome {
  readonly verdict: "fits" | "differs" | "refused" | "kink" | "none";
  readonly reason: string;
}

/** Half the step of a central difference, in f64: its error is about 1e-9 of smooth functions. */
const step = 1e-5;
/** Of the f32 gradient, relative to the length of its part in the direction. */
const relative = 2e-4;
/** The same where numbers of 11 bits are among the inputs or outputs. */
const relativeF16 = 2e-3;
const absolute = 1e-5;

const isFloat = ({ dtype }: AnyTensor): boolean => dtype === "f32" || dtype === "f16";

/** Checks one model, which must run. */
export async function tryGradient(test: BackendCase): Promise<GradientOutcome> {
  const excuse = kinks(test.name);
  try {
    const found = await difference(test);
    if (!found) return { verdict: "none", reason: "" };
    const { gradient, expected, scale, half } = found;
    if (Math.abs(gradient - expected) <= absolute + (half ? relativeF16 : relative) * scale)
      return { verdict: "fits", reason: "" };
    if (excuse) return { verdict: "kink", reason: excuse };
    return { verdict: "differs", reason: `the gradient says ${gradient} but the difference is ${expected}` };
  } catch (error) {
    if (excuse) return { verdict: "kink", reason: excuse };
    return { verdict: "refused", reason: error instanceof Error ? error.message : String(error) };
  }
}

interface Comparison {
  readonly gradient: number;
  readonly expected: number;
  /** Length of the gradient's part in the direction. */
  readonly scale: number;
  readonly half: boolean;
}

async function difference(test: BackendCase): Promise<Comparison | undefined> {
  const random = new HostRandom(7);
  const draw = (size: number): Float32Array => random.normal(size, 1);
  const values = bind(test, readDataSets(test)[0]!);
  const { outputs } = await runGraph(test.model, values);
  const floats = outputs
    .map(({ tensor: output }) => output)
    .filter((output) => isFloat(output) && output.size);
  if (!floats.length) return undefined;
  const loss = floats
    .map((output) => sum(mul(output, tensor(draw(output.size), output.shape).cast(output.dtype) as Tensor)))
    .reduce((a, b) => a.cast("f32").add(b.cast("f32")));
  const captured = await captureWithValues([loss]);
  // An input that was only read on the host (axes, a size) is no leaf.
  const inputs = [...values.values()]
    .map((value) => value.tensor)
    .filter((input) => isFloat(input) && input.size && captured.leaves.includes(input));
  if (!inputs.length) return undefined;
  const gradients = grad(loss, inputs, { allowUnused: true });
  const moves = inputs.map(({ size }) => draw(size));

  let gradient = 0;
  let squares = 0;
  for (const [k, slope] of gradients.entries()) {
    const part = await slope.data();
    part.forEach((value: number, index: number) => {
      gradient += value * moves[k]![index]!;
      squares += (value * moves[k]![index]!) ** 2;
    });
  }
  const at = (delta: number): number => {
    const moved = captured.values.map((leaf, place) => {
      const k = inputs.indexOf(captured.leaves[place] as Tensor);
      return k < 0 ? leaf : leaf.map((value, index) => value + delta * moves[k]![index]!);
    });
    return captured.run(moved)[0]![0]!;
  };
  const expected = (at(step) - at(-step)) / (2 * step);
  const half = [...inputs, ...floats].some(({ dtype }) => dtype === "f16");
  return { gradient, expected, scale: Math.sqrt(squares), half };
}
