/**
 * One step of DDAD's guided reconstruction (Mousakhan et al., arXiv 2305.15956, algorithm 1), from `x_t` and the network's
 * `ε` to `x_prev`, with every image's numbers in `coefficients`.
 *
 * As published, with the target `y` and `w` the strength of the guidance:
 *
 *     y_t   = √ᾱ y + √(1−ᾱ) ε                     the target at the same noise level
 *     ε'    = ε − √(1−ᾱ) w (y_t − x_t)
 *     x̂0    = (x_t − √(1−ᾱ) ε') / √ᾱ
 *     x_prev = √ᾱ_prev x̂0 + c1 z + c2 ε'
 *     c1 = η √((1 − ᾱ/ᾱ_prev)(1−ᾱ_prev)/(1−ᾱ)),  c2 = √(1 − ᾱ_prev − c1²)
 *
 * As computed here. With `x̂ = (x_t − √(1−ᾱ) ε)/√ᾱ`, the clean image without guidance, `y_t − x_t = √ᾱ (y − x̂)`, so
 *
 *     x̂0 = x̂ + λ (y − x̂)                          a blend towards the target, λ = w (1−ᾱ)
 *     ε' = ε − λ √ᾱ/√(1−ᾱ) (y − x̂)
 *
 * The two are equal for every λ; only a bound on it (such as λ ≤ 1) tells protocols apart.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf } from "../spec.ts";

/** The numbers of one guided step, from which {@link guidedStepCoefficients} makes a row. */
export interface GuidedStepSettings {
  /** ᾱ of `x_t`, below 1. */
  readonly alphaBar: number;
  /** ᾱ of `x_prev`; 1 for the last step. */
  readonly alphaBarPrevious: number;
  /** λ: 0 leaves the network alone, 1 puts the target in place of the clean image. */
  readonly blend: number;
  /** η: 0 is deterministic, 1 draws as much noise as the forward process added. */
  readonly eta: number;
}

/** A row of `coefficients`, in f64: `√ᾱ, √(1−ᾱ), √ᾱ_prev, λ, c1, c2`. */
export function guidedStepCoefficients(settings: GuidedStepSettings): number[] {
  for (const name of ["alphaBar", "alphaBarPrevious", "blend", "eta"] as const) {
    const value: unknown = settings?.[name];
    check(
      typeof value === "number",
      "guidedStepCoefficients",
      () => `${name} must be a number but is ${value}.`,
    );
  }
  const { alphaBar, alphaBarPrevious, blend, eta } = settings;
  const variance = ((1 - alphaBar / alphaBarPrevious) * (1 - alphaBarPrevious)) / (1 - alphaBar);
  const c1 = eta * Math.sqrt(variance);
  const c2 = Math.sqrt(Math.max(0, 1 - alphaBarPrevious - c1 ** 2));
  return [Math.sqrt(alphaBar), Math.sqrt(1 - alphaBar), Math.sqrt(alphaBarPrevious), blend, c1, c2];
}

/** Coefficients of a step in the middle, for the cases; rows differ. */
const someSteps = (index: number): number =>
  guidedStepCoefficients({
    alphaBar: 0.5 + 0.1 * Math.floor(index / 6),
    alphaBarPrevious: 0.7 + 0.1 * Math.floor(index / 6),
    blend: 0.9,
    eta: 1,
  })[index % 6]!;

const image = (shape: readonly number[]) => ({ x: shape, epsilon: shape, guide: shape });

/**
 * Inputs x, epsilon, guide, and noise or none [N, …], coefficients [N, 6] or [1, 6], all f32; outputs xPrevious and x0 [N,
 * …].
 */
export const guidedStep = defineKernel({
  name: "guidedStep",
  /**
   * `guide` is the target y (WGSL reserves the word target); `noise` is z: without it the term `c1 z` is left out.
   * `coefficients` are [N, 6], or [1, 6] for all images.
   */
  inputs: ["x", "epsilon", "guide", "noise", "coefficients"],
  optional: ["noise"],
  /** `x0` is the predicted clean image x̂0. */
  outputs: ["xPrevious", "x0"],
  params: { size: "u32" },
  infer({ x, epsilon, guide, noise, coefficients }, _attrs: Record<string, never>) {
    const images = Object.entries({ x, epsilon, guide, ...(noise ? { noise } : {}) });
    for (const [name, { dtype }] of [...images, ["coefficients", coefficients] as const])
      check(dtype === "f32", "guidedStep", () => `${name} must be f32 but is ${dtype}; cast it first.`);
    check(
      x.shape.length >= 1 && images.every(([, { shape }]) => sameShape(shape, x.shape)),
      "guidedStep",
      () =>
        `${images.map(([name, { shape }]) => `${name} ${show(shape)}`).join(", ")} must have the same shape [N, …].`,
    );
    const batch = x.shape[0]!;
    check(
      sameShape(coefficients.shape, [batch, 6]) || sameShape(coefficients.shape, [1, 6]),
      "guidedStep",
      () =>
        `coefficients must be [${batch}, 6], or [1, 6] for all images alike, but are ${show(coefficients.shape)}.`,
    );
    return { outputs: { xPrevious: x, x0: x }, params: { size: sizeOf(x.shape) } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, params }) {
        const length = sizeOf(inputs.x.shape.slice(1));
        const width = length % 4 === 0 ? 4 : 1;
        const element = width === 4 ? "vec4<f32>" : "f32";
        const row = inputs.coefficients.shape[0] === 1 ? "0u" : `i / ${length / width}u * 6u`;
        return [
          {
            read: {
              x: element,
              epsilon: element,
              guide: element,
              ...(inputs.noise ? { noise: element } : {}),
              coefficients: "f32",
            },
            write: { xPrevious: element, x0: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    let row = ${row};
    let signal = coefficients[row];
    let spread = coefficients[row + 1u];
    let blend = coefficients[row + 3u];
    let unguided = (x[i] - spread * epsilon[i]) / signal;
    let gap = blend * (guide[i] - unguided);
    let clean = unguided + gap;
    let guided = epsilon[i] - signal / spread * gap;
    x0[i] = clean;
    xPrevious[i] = coefficients[row + 2u] * clean + coefficients[row + 5u] * guided${
      inputs.noise ? " + coefficients[row + 4u] * noise[i]" : ""
    };`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, epsilon, guide, noise, coefficients }, { inputs }) {
    const length = sizeOf(inputs.x.shape.slice(1));
    const xPrevious = new Float64Array(x.length);
    const x0 = x.map((value, i) => {
      const row = coefficients.length === 6 ? 0 : 6 * Math.floor(i / length);
      const [signal, spread, signalPrevious, blend, c1, c2] = coefficients.subarray(
        row,
        row + 6,
      ) as unknown as [number, number, number, number, number, number];
      const unguided = (value - spread * epsilon[i]!) / signal;
      const clean = unguided + blend * (guide[i]! - unguided);
      const guided = epsilon[i]! - ((blend * signal) / spread) * (guide[i]! - unguided);
      xPrevious[i] = signalPrevious * clean + c1 * (noise?.[i] ?? 0) + c2 * guided;
      return clean;
    });
    return { xPrevious, x0 };
  },
  cost: ({ inputs }) => ({
    flops: 14 * sizeOf(inputs.x.shape),
    bytes: (inputs.noise ? 6 : 5) * bytesOf(inputs.x),
  }),
  cases: [
    {
      name: "one element",
      inputs: { ...image([1]), noise: [1], coefficients: { shape: [1, 6], fill: someSteps } },
      attrs: {},
    },
    {
      name: "odd images, a step for each",
      inputs: {
        ...image([3, 5, 7, 1]),
        noise: [3, 5, 7, 1],
        coefficients: { shape: [3, 6], fill: someSteps },
      },
      attrs: {},
    },
    {
      name: "without noise",
      inputs: { ...image([2, 4, 4, 3]), coefficients: { shape: [2, 6], fill: someSteps } },
      attrs: {},
    },
    {
      name: "reconstruction",
      inputs: {
        ...image([4, 64, 64, 3]),
        noise: [4, 64, 64, 3],
        coefficients: { shape: [1, 6], fill: someSteps },
      },
      attrs: {},
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 3], epsilon: [2, 3], guide: [1, 3], coefficients: [2, 6] },
      attrs: {},
      message: /guidedStep: x \[2, 3\], epsilon \[2, 3\], guide \[1, 3\] must have the same shape \[N, …\]/,
    },
    {
      inputs: { ...image([3, 4]), coefficients: [2, 6] },
      attrs: {},
      message:
        /guidedStep: coefficients must be \[3, 6\], or \[1, 6\] for all images alike, but are \[2, 6\]/,
    },
    {
      inputs: { ...image([3, 4]), noise: { shape: [3, 4], dtype: "u32" }, coefficients: [3, 6] },
      attrs: {},
      message: /guidedStep: noise must be f32 but is u32/,
    },
  ],
});
