/** The passes of group norm and batch norm, forward and backward, in terms of {@link Slabs}. */
import type { Pass } from "../kernel.ts";
import { spec, type TensorSpec } from "../spec.ts";
import { uniform } from "../uniform.ts";
import { type Activation, activateFunction, siluDerivativeFunction } from "./activation.ts";
import type { Slabs } from "./slabs.ts";

/** The statistic that is kept beside the mean: its name, its value from a variance, and 1/√(variance + ε) from it. */
export interface Spread {
  readonly name: "rstd" | "variance";
  readonly fromVariance: (variance: string) => string;
  readonly toRstd: (value: string, type: string) => string;
}

export const rstd: Spread = {
  name: "rstd",
  fromVariance: (variance) => `1.0 / sqrt(${variance} + params.epsilon)`,
  toRstd: (value) => value,
};

export const variance: Spread = {
  name: "variance",
  fromVariance: (value) => value,
  toRstd: (value, type) => `${type}(1.0) / sqrt(${value} + params.epsilon)`,
};

export const statisticsScratch = (slabs: Slabs): Record<string, TensorSpec> => ({
  slabMean: slabs.partial,
  slabSquares: slabs.partial,
});

/**
 * x → mean and spread of each image's groups, x read once. A slab's n values are summed as offsets from its first one, which
 * keeps the last digits of data far from zero: M₂ = Σ oᵢ² − (Σ oᵢ)² / n is the difference of two numbers of which the larger is
 * at most (n + 1) M₂, because the first value's own squared difference from the mean is part of M₂. Slabs are combined by Chan's formula:
 * M₂ = Σ M₂ᵢ + nᵢ (μᵢ − μ)².
 */
export function statisticsPasses(slabs: Slabs, spread: Spread): Pass[] {
  const { type, stored, columns, slab, members, tiling, layout } = slabs;
  const entry = `(image * slabs + e / ${uniform("members", members)}) * ${uniform("channels", layout.channels)} + channel + e % ${uniform("members", members)}`;
  const entryLoop = `for (var e = worker; e < slabs * ${uniform("members", members)}; e += ${tiling.lanes}u)`;
  const count = `f32(min(${slab}u, params.pixels - e / ${uniform("members", members)} * ${slab}u))`;
  return [
    slabs.perPiece(
      slab,
      {
        label: "slabs",
        read: { x: stored },
        write: { slabMean: type, slabSquares: type },
      },
      /* wgsl */ `
  let origin = ${type}(x[first]);
  var sum = ${type}(0.0);
  var squares = ${type}(0.0);
  for (var at = first; at < end; at += ${uniform("columns", columns)}) {
    let offset = ${type}(x[at]) - origin;
    sum += offset;
    squares += offset * offset;
  }
  slabMean[i] = origin + sum / f32(count);
  slabSquares[i] = max(squares - sum * sum / f32(count), ${type}(0.0));`,
    ),
    slabs.perImageGroup(
      {
        label: "fold",
        read: { slabMean: "f32", slabSquares: "f32" },
        write: { mean: "f32", [spread.name]: "f32" },
      },
      /* wgsl */ `
  let values = f32(params.pixels * ${uniform("members", members)});
  let origin = slabMean[image * slabs * ${uniform("channels", layout.channels)} + channel];
  var sum = 0.0;
  ${entryLoop} { sum += ${count} * (slabMean[${entry}] - origin); }
  let centre = origin + total(sum, worker) / values;
  var squares = 0.0;
  ${entryLoop} {
    let offset = slabMean[${entry}] - centre;
    squares += slabSquares[${entry}] + ${count} * offset * offset;
  }
  let spread = ${spread.fromVariance("total(squares, worker) / values")};
  if (worker == 0u) {
    mean[item] = centre;
    ${spread.name}[item] = spread;
  }`,
      "f32",
    ),
  ];
}

/** x, its statistics, weight and bias → y = activation((x − mean) · rstd · weight + bias). */
export function applyPass(slabs: Slabs, spread: Spread, activation: Activation): Pass {
  const { type, stored, columns } = slabs;
  return slabs.perPiece(
    slabs.tiling.strip,
    {
      label: "apply",
      read: { x: stored, weight: type, bias: type, mean: "f32", [spread.name]: "f32" },
      write: { y: stored },
    },
    /* wgsl */ `
  let centre = ${slabs.perGroup("mean")};
  let scale = ${spread.toRstd(slabs.perGroup(spread.name), type)} * weight[column];
  let shift = bias[column];
  for (var at = first; at < end; at += ${uniform("columns", columns)}) {
    let z = (${type}(x[at]) - centre) * scale + shift;
    y[at] = ${stored}(activate(z));
  }`,
    activateFunction(activation, type),
  );
}

/** Names of the sums over an image's pixels: scratch, or the outputs themselves where there is one image. */
export interface ImageSums {
  readonly bias: string;
  readonly weight: string;
}

/** What a gradient in one pass binds, whose sums over pixels are `biasSums` and `weightSums`. @param stored WGSL's type of four stored elements */
export const gradientBindings = (
  stored: string,
  silu: boolean,
  sums: ImageSums,
): Pick<Pass, "read" | "write" | "tensors"> => ({
  read: {
    x: stored,
    weight: "vec4<f32>",
    ...(silu ? { bias: "vec4<f32>" } : {}),
    mean: "f32",
    rstd: "f32",
    gradient: stored,
  },
  write: { xGradient: stored, biasSums: "vec4<f32>", weightSums: "vec4<f32>" },
  tensors: { biasSums: sums.bias, weightSums: sums.weight },
});

export const gradientScratch = (slabs: Slabs): Record<string, TensorSpec> => ({
  slabBias: slabs.partial,
  slabWeight: slabs.partial,
  groupMeans: spec([slabs.layout.images, slabs.layout.groups, 2]),
});

/**
 * With x̂ = (x − mean) · rstd and z = x̂ · weight + bias, dz the gradient at z, and ⟨·⟩ the mean over a group:
 *
 *     dbias = Σ dz     dweight = Σ dz · x̂     dx = rstd · (weight · dz − ⟨weight · dz⟩ − x̂ · ⟨weight · dz · x̂⟩)
 *
 * The sums over an image's pixels are left per image and channel in `sums`.
 */
export function gradientPasses(
  slabs: Slabs,
  spread: Spread,
  activation: Activation,
  sums: ImageSums,
): Pass[] {
  const { type, stored, columns, slab, members, tiling, layout } = slabs;
  const silu = activation === "silu";
  const read = { x: stored, gradient: stored, mean: "f32", [spread.name]: "f32" };
  const functions = silu ? siluDerivativeFunction(type) : "";
  const loads = /* wgsl */ `
  let centre = ${slabs.perGroup("mean")};
  let scale = ${spread.toRstd(slabs.perGroup(spread.name), type)};`;
  const differentiate = silu
    ? /* wgsl */ `
    let z = normal * weight[column] + bias[column];
    let dz = ${type}(gradient[at]) * derivative(z);`
    : `let dz = ${type}(gradient[at]);`;
  return [
    slabs.perPiece(
      slab,
      {
        label: "slabs",
        read: silu ? { ...read, weight: type, bias: type } : read,
        write: { slabBias: type, slabWeight: type },
      },
      /* wgsl */ `${loads}
  var biasSum = ${type}(0.0);
  var weightSum = ${type}(0.0);
  for (var at = first; at < end; at += ${uniform("columns", columns)}) {
    let normal = (${type}(x[at]) - centre) * scale;
    ${differentiate}
    biasSum += dz;
    weightSum += dz * normal;
  }
  slabBias[i] = biasSum;
  slabWeight[i] = weightSum;`,
      functions,
    ),
    slabs.perImageGroup(
      {
        label: "fold",
        read: { slabBias: "f32", slabWeight: "f32", weight: "f32" },
        write: { [sums.bias]: "f32", [sums.weight]: "f32", groupMeans: "vec2<f32>" },
      },
      /* wgsl */ `
  var groupSum = vec2f();
  for (var member = 0u; member < ${uniform("members", members)}; member++) {
    let c = channel + member;
    var sum = vec2f();
    for (var s = worker; s < slabs; s += ${tiling.lanes}u) {
      let at = (image * slabs + s) * ${uniform("channels", layout.channels)} + c;
      sum += vec2f(slabBias[at], slabWeight[at]);
    }
    sum = total(sum, worker);
    if (worker == 0u) {
      ${sums.bias}[image * ${uniform("channels", layout.channels)} + c] = sum.x;
      ${sums.weight}[image * ${uniform("channels", layout.channels)} + c] = sum.y;
    }
    groupSum += weight[c] * sum;
  }
  if (worker == 0u) { groupMeans[item] = groupSum / (f32(params.pixels * ${uniform("members", members)})); }`,
      "vec2f",
    ),
    slabs.perPiece(
      tiling.strip,
      {
        label: "apply",
        read: silu
          ? { ...read, weight: type, bias: type, groupMeans: "f32" }
          : { ...read, weight: type, groupMeans: "f32" },
        write: { xGradient: stored },
      },
      /* wgsl */ `${loads}
  let plain = ${slabs.perGroup("groupMeans", 2, 0)};
  let slope = ${slabs.perGroup("groupMeans", 2, 1)};
  let factor = weight[column];
  for (var at = first; at < end; at += ${uniform("columns", columns)}) {
    let normal = (${type}(x[at]) - centre) * scale;
    ${differentiate}
    xGradient[at] = ${stored}(scale * (factor * dz - plain - normal * slope));
  }`,
      functions,
    ),
  ];
}

/** Per-image sums over the images → the gradients of weight and bias. */
export function parameterPass(slabs: Slabs, sums: ImageSums): Pass {
  return slabs.perChannel(
    {
      label: "parameters",
      read: { [sums.bias]: "f32", [sums.weight]: "f32" },
      write: { biasGradient: "f32", weightGradient: "f32" },
    },
    /* wgsl */ `
  var sum = vec2f();
  for (var at = i; at < params.images * ${uniform("channels", slabs.layout.channels)}; at += ${uniform("channels", slabs.layout.channels)}) {
    sum += vec2f(${sums.bias}[at], ${sums.weight}[at]);
  }
  biasGradient[i] = sum.x;
  weightGradient[i] = sum.y;`,
  );
}
