/** The guided step as a blend is the published one. */
import { guidedStep, guidedStepCoefficients, spec, uniformGenerator } from "@ddad/kernels-wgsl";
import { expect } from "chai";

/** One step as the paper's algorithm and its published code write it, in f64. */
function publishedStep(
  { x, epsilon, guide, noise }: Record<"x" | "epsilon" | "guide" | "noise", Float64Array>,
  alphaBar: number,
  alphaBarPrevious: number,
  w: number,
  eta: number,
): { xPrevious: Float64Array; x0: Float64Array } {
  const c1 = eta * Math.sqrt(((1 - alphaBar / alphaBarPrevious) * (1 - alphaBarPrevious)) / (1 - alphaBar));
  const c2 = Math.sqrt(1 - alphaBarPrevious - c1 ** 2);
  const x0 = new Float64Array(x.length);
  const xPrevious = x.map((value, i) => {
    const targetNoised = Math.sqrt(alphaBar) * guide[i]! + Math.sqrt(1 - alphaBar) * epsilon[i]!;
    const guided = epsilon[i]! - Math.sqrt(1 - alphaBar) * w * (targetNoised - value);
    x0[i] = (value - Math.sqrt(1 - alphaBar) * guided) / Math.sqrt(alphaBar);
    return Math.sqrt(alphaBarPrevious) * x0[i]! + c1 * noise[i]! + c2 * guided;
  });
  return { xPrevious, x0 };
}

describe("guidedStep", () => {
  const size = 64;
  const uniform = uniformGenerator(7);
  const values = () => Float64Array.from({ length: size }, () => 4 * uniform() - 2);
  const images = { x: values(), epsilon: values(), guide: values(), noise: values() };
  const steps = [
    { alphaBar: 0.5241, alphaBarPrevious: 0.5997, eta: 1 },
    { alphaBar: 0.97, alphaBarPrevious: 0.99, eta: 0.5 },
    { alphaBar: 0.8, alphaBarPrevious: 0.9, eta: 0 },
    { alphaBar: 0.9999, alphaBarPrevious: 1, eta: 1 },
  ];
  for (const { alphaBar, alphaBarPrevious, eta } of steps)
    for (const w of [0, 0.5, 3, 8])
      it(`is the published step at ᾱ ${alphaBar} → ${alphaBarPrevious}, w ${w}, η ${eta}`, () => {
        const settings = { alphaBar, alphaBarPrevious, blend: w * (1 - alphaBar), eta };
        const coefficients = Float64Array.from(guidedStepCoefficients(settings));
        const one = spec([1, size]);
        const inputs = { x: one, epsilon: one, guide: one, noise: one, coefficients: spec([1, 6]) };
        const call = { inputs, attrs: {}, ...guidedStep.infer(inputs, {}) };
        const blended = guidedStep.reference({ ...images, coefficients }, call);
        const published = publishedStep(images, alphaBar, alphaBarPrevious, w, eta);
        for (const name of ["xPrevious", "x0"] as const)
          published[name].forEach((expected, i) => {
            expect(blended[name][i], `${name}[${i}]`).to.be.closeTo(
              expected,
              1e-12 * (1 + Math.abs(expected)),
            );
          });
      });
});
