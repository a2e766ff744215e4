/**
 * Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101), as PyTorch computes them, one
 * parameter a call, or many contiguous ones. With `g` the gradient × gradientScale:
 *
 *     coupled:   g ← g + weightDecay · p          decoupled:   p ← p · (1 − learningRate · weightDecay)
 *     m ← β1 m + (1 − β1) g
 *     v ← β2 v + (1 − β2) g²
 *     p ← p − learningRate/(1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + ε)
 *
 * A gradientScale of 0 skips the step: nothing changes, whatever the gradient is (an f16 overflow, for example).
 * `adamEmaStep` also keeps the moving average of the parameter, `a ← d a + (1 − d) p` with `d` = emaDecay.
 */
import { type Call, type Capabilities, defineKernel, type Pass } from "../kernel.ts";
import { bytesOf, sizeOf } from "../spec.ts";
import { checkState, statePass } from "./control.ts";

/** Attributes of `adamStep` and `adamEmaStep`. */
export interface AdamAttrs {
  /** Whether weight decay shrinks the parameter (AdamW) instead of adding to the gradient (Adam with L2). */
  readonly decoupled: boolean;
}

/** The numbers of one step, from which {@link adamControl} makes `control`. */
export interface AdamSettings extends AdamAttrs {
  /** Length of the step. */
  readonly learningRate: number;
  /** Decay of the first moment, the mean of the gradients. */
  readonly beta1: number;
  /** Decay of the second moment, the mean of their squares. */
  readonly beta2: number;
  /** Added to the root of the second moment. */
  readonly epsilon: number;
  /** Factor of the parameter that is subtracted with the step (AdamW) or added to the gradient (Adam). */
  readonly weightDecay: number;
  /** Number of the step, from 1 on. */
  readonly step: number;
  /** Factor of the gradient: that of clipping, or 1 ÷ the number of micro-batches. Default 1. */
  readonly gradientScale?: number;
  /** Decay of the parameter's moving average; only `adamEmaStep` uses it. Default 0: the parameter itself. */
  readonly emaDecay?: number;
}

/**
 * The eight numbers of `control`: learningRate/(1 − β1ᵗ), β1, β2, ε, weightDecay (× learningRate where decoupled),
 * √(1 − β2ᵗ), gradientScale, emaDecay, in this order (a gradientScale computed on the device takes the place of the
 * seventh). The corrections are computed here in f64, because WGSL's `pow` may be off by
 * 10⁻³ of 1 − β2ᵗ at the first steps; from β rounded to f32, because the shader's 1 − β is.
 */
export function adamControl(settings: AdamSettings): Float32Array {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, decoupled } = settings;
  const correction = (beta: number) => 1 - Math.fround(beta) ** step;
  return Float32Array.of(
    learningRate / correction(beta1),
    beta1,
    beta2,
    epsilon,
    decoupled ? weightDecay * learningRate : weightDecay,
    Math.sqrt(correction(beta2)),
    settings.gradientScale ?? 1,
    settings.emaDecay ?? 0,
  );
}

const state = ["parameterNext", "firstMomentNext", "secondMomentNext"] as const;

function adamPass(
  caps: Capabilities,
  call: Pick<Call<"parameter" | "control", string, AdamAttrs>, "inputs" | "attrs">,
  ema: boolean,
): Pass {
  const { decoupled } = call.attrs;
  return statePass(
    caps,
    call.inputs,
    ["gradient"],
    ema ? [...state, "emaNext"] : state,
    /* wgsl */ `
    if (control1.z == 0.0) { continue; }
    let old = parameterNext[i];
    let g = control1.z * gradient[i]${decoupled ? "" : " + control1.x * old"};
    let first = control0.y * firstMomentNext[i] + (1.0 - control0.y) * g;
    let second = control0.z * secondMomentNext[i] + (1.0 - control0.z) * g * g;
    let next = old${decoupled ? " * (1.0 - control1.x)" : ""} - control0.x * first / (sqrt(second) / control1.y + control0.w);
    firstMomentNext[i] = first;
    secondMomentNext[i] = second;
    parameterNext[i] = next;${
      ema
        ? `
    emaNext[i] = control1.w * emaNext[i] + (1.0 - control1.w) * next;`
        : ""
    }`,
  );
}

type Values = Record<"parameter" | "gradient" | "firstMoment" | "secondMoment" | "control", Float64Array>;

function adamReference(
  values: Values,
  { decoupled }: AdamAttrs,
): Record<(typeof state)[number], Float64Array> {
  const [stepSize, beta1, beta2, epsilon, decay, correction, scale] = values.control as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const firstMomentNext = values.firstMoment.slice();
  const secondMomentNext = values.secondMoment.slice();
  if (scale === 0) return { parameterNext: values.parameter.slice(), firstMomentNext, secondMomentNext };
  const parameterNext = values.parameter.map((p, i) => {
    const g = scale * values.gradient[i]! + (decoupled ? 0 : decay * p);
    const first = beta1 * values.firstMoment[i]! + (1 - beta1) * g;
    const second = beta2 * values.secondMoment[i]! + (1 - beta2) * g ** 2;
    firstMomentNext[i] = first;
    secondMomentNext[i] = second;
    return p * (decoupled ? 1 - decay : 1) - (stepSize * first) / (Math.sqrt(second) / correction + epsilon);
  });
  return { parameterNext, firstMomentNext, secondMomentNext };
}

const control = (step: number, decoupled: boolean, gradientScale = 0.5) => {
  const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.05 };
  const values = adamControl({ ...settings, step, decoupled, gradientScale, emaDecay: 0.99 });
  return { shape: [8], fill: (index: number) => values[index]! };
};

/** Second moments are sums of squares. */
const positive = (_: number, uniform: () => number): number => uniform();

const caseInputs = (shape: readonly number[], step: number, decoupled: boolean) => ({
  parameter: shape,
  gradient: shape,
  firstMoment: shape,
  secondMoment: { shape, fill: positive },
  control: control(step, decoupled),
});

/** A step whose gradient overflowed. */
const skipped = (shape: readonly number[]) => ({
  ...caseInputs(shape, 3, true),
  gradient: { shape, fill: (index: number) => (index % 2 ? Infinity : Number.NaN) },
  control: control(3, true, 0),
});

/**
 * Inputs parameter, gradient, firstMoment m and secondMoment v of one shape, control [8], all f32; outputs the next
 * parameter, m and v.
 */
export const adamStep = defineKernel({
  name: "adamStep",
  inputs: ["parameter", "gradient", "firstMoment", "secondMoment", "control"],
  outputs: state,
  updates: {
    parameterNext: "parameter",
    firstMomentNext: "firstMoment",
    secondMomentNext: "secondMoment",
  },
  packs: { shared: ["control"] },
  params: { size: "u32" },
  infer({ parameter, gradient, firstMoment, secondMoment, control }, _attrs: AdamAttrs) {
    checkState("adamStep", { parameter, gradient, firstMoment, secondMoment }, control, 8);
    return {
      outputs: { parameterNext: parameter, firstMomentNext: parameter, secondMomentNext: parameter },
      params: { size: sizeOf(parameter.shape) },
    };
  },
  variants: [{ name: "direct", passes: (caps, call) => [adamPass(caps, call, false)] }],
  reference: (values, { attrs }) => adamReference(values, attrs),
  cost: ({ inputs }) => ({
    flops: 16 * sizeOf(inputs.parameter.shape),
    bytes: 7 * bytesOf(inputs.parameter),
  }),
  cases: [
    { name: "one element", inputs: caseInputs([1], 1, false), attrs: { decoupled: false } },
    { name: "odd size, coupled", inputs: caseInputs([7, 13], 3, false), attrs: { decoupled: false } },
    { name: "by four, decoupled", inputs: caseInputs([5, 12], 10000, true), attrs: { decoupled: true } },
    { name: "skipped", inputs: skipped([5, 12]), attrs: { decoupled: true }, tolerance: 0 },
    {
      name: "a convolution's weight",
      inputs: caseInputs([3, 3, 128, 128], 100, false),
      attrs: { decoupled: false },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { ...caseInputs([4], 1, false), gradient: [2, 2] },
      attrs: { decoupled: false },
      message: /adamStep: gradient \[2, 2\] must have the shape of parameter \[4\]/,
    },
    {
      inputs: { ...caseInputs([4], 1, false), control: [7] },
      attrs: { decoupled: false },
      message: /adamStep: control must be \[8\] but is \[7\]/,
    },
    {
      inputs: { ...caseInputs([4], 1, false), firstMoment: { shape: [4], dtype: "f16" } },
      attrs: { decoupled: false },
      message: /adamStep: firstMoment must be f32 but is f16; cast it first/,
    },
  ],
});

/** `adamStep` with one more input, ema, of the same shape, and its next value as one more output. */
export const adamEmaStep = defineKernel({
  name: "adamEmaStep",
  inputs: ["parameter", "gradient", "firstMoment", "secondMoment", "ema", "control"],
  outputs: [...state, "emaNext"],
  updates: {
    parameterNext: "parameter",
    firstMomentNext: "firstMoment",
    secondMomentNext: "secondMoment",
    emaNext: "ema",
  },
  packs: { shared: ["control"] },
  params: { size: "u32" },
  infer({ parameter, gradient, firstMoment, secondMoment, ema, control }, _attrs: AdamAttrs) {
    checkState("adamEmaStep", { parameter, gradient, firstMoment, secondMoment, ema }, control, 8);
    return {
      outputs: {
        parameterNext: parameter,
        firstMomentNext: parameter,
        secondMomentNext: parameter,
        emaNext: parameter,
      },
      params: { size: sizeOf(parameter.shape) },
    };
  },
  variants: [{ name: "direct", passes: (caps, call) => [adamPass(caps, call, true)] }],
  reference(values, { attrs }) {
    const next = adamReference(values, attrs);
    if (values.control[6] === 0) return { ...next, emaNext: values.ema.slice() };
    const decay = values.control[7]!;
    const emaNext = values.ema.map((a, i) => decay * a + (1 - decay) * next.parameterNext[i]!);
    return { ...next, emaNext };
  },
  cost: ({ inputs }) => ({
    flops: 19 * sizeOf(inputs.parameter.shape),
    bytes: 9 * bytesOf(inputs.parameter),
  }),
  cases: [
    {
      name: "one element",
      inputs: { ...caseInputs([1], 1, true), ema: [1] },
      attrs: { decoupled: true },
    },
    {
      name: "odd size",
      inputs: { ...caseInputs([7, 13], 3, false), ema: [7, 13] },
      attrs: { decoupled: false },
    },
    {
      name: "skipped",
      inputs: { ...skipped([7, 13]), ema: [7, 13] },
      attrs: { decoupled: true },
      tolerance: 0,
    },
    {
      name: "a convolution's weight",
      inputs: { ...caseInputs([3, 3, 128, 128], 100, true), ema: [3, 3, 128, 128] },
      attrs: { decoupled: true },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { ...caseInputs([4], 1, false), ema: [3] },
      attrs: { decoupled: false },
      message: /adamEmaStep: ema \[3\] must have the shape of parameter \[4\]/,
    },
  ],
  replaces: "adamStep, then ema ← emaDecay · ema + (1 − emaDecay) · parameter",
});
