/** Group norm, forward and backward, in terms of {@link WorkgroupBlocks}. */
import type { Pass } from "../kernel.ts";
import { type Activation, activateFunction, siluDerivativeFunction } from "./activation.ts";
import { storeGroups } from "./blocks.ts";
import type { ImageSums } from "./passes.ts";
import { keptPixels, type WorkgroupBlocks } from "./workgroupBlocks.ts";

/**
 * x → y, mean and rstd. The first sum gives a mean that is `near` enough; that of the offsets from it gives what it lacks, and corrects
 * the sum of their squares: n · variance = Σ o² − (Σ o)² / n, of which the second term is next to nothing (Chan, Golub and LeVeque
 * 1983, "Algorithms for computing the sample variance").
 */
export function forwardWorkgroupPass(blocks: WorkgroupBlocks, activation: Activation): Pass {
  const { stored, members } = blocks;
  const value = blocks.value("value", () => "vec4f(x[at])");
  const body = /* wgsl */ `
${value.declare}
  var sum = vec4f();
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${value.first(pixel)}
    sum += value${pixel};`,
)}
${blocks.addUp({ sums: "sum" })}
  let values = f32(params.pixels) * ${members}.0;
  let near = sumsOfGroup(own) / values;
  sum = vec4f();
  var sumSquares = vec4f();
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${value.again(pixel)}
    let offset = value${pixel} - near;
    sum += offset;
    sumSquares += offset * offset;`,
)}
${blocks.addUp({ sums: "sum", squares: "sumSquares" })}
  let rest = sumsOfGroup(own) / values;
  let middle = near + rest;
  let variance = max(squaresOfGroup(own) / values - rest * rest, vec4f());
  let spread = vec4f(1.0) / sqrt(variance + params.epsilon);
  if (isFirst) {
      ${storeGroups(blocks.layout, { mean: "middle", rstd: "spread" })}
  }
  let scale = spread * weight[column];
  let shift = bias[column];
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${value.again(pixel)}
    y[at] = ${stored}(activate((value${pixel} - middle) * scale + shift));`,
)}`;
  const bindings = {
    read: { x: stored, weight: "vec4<f32>", bias: "vec4<f32>" },
    write: { y: stored, mean: "f32", rstd: "f32" },
  };
  return blocks.pass(bindings, ["sums", "squares"], activateFunction(activation, "vec4<f32>"), body);
}

/**
 * The gradient of x, and in `sums` each image's share of those of weight and bias. Formula: see `gradientPasses`. Where both cannot be
 * kept, it is the gradient at z, which costs more to have again than x normalised.
 */
export function gradientWorkgroupPass(
  blocks: WorkgroupBlocks,
  activation: Activation,
  sums: ImageSums,
): Pass {
  const { stored, members, columns } = blocks;
  const silu = activation === "silu";
  const normal = blocks.value("normal", () => "(vec4f(x[at]) - centre) * scale", keptPixels / 2);
  const dz = blocks.value("dz", (pixel) =>
    silu ? `derivative(normal${pixel} * factor + shift) * vec4f(gradient[at])` : "vec4f(gradient[at])",
  );
  const body = /* wgsl */ `
  let centre = ${blocks.perGroup("mean")};
  let scale = ${blocks.perGroup("rstd")};
  let factor = weight[column];${silu ? "\n  let shift = bias[column];" : ""}
${normal.declare}
${dz.declare}
  var biasSum = vec4f();
  var weightSum = vec4f();
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${normal.first(pixel)}
    ${dz.first(pixel)}
    biasSum += dz${pixel};
    weightSum += dz${pixel} * normal${pixel};`,
)}
${blocks.addUp({ plainSums: "biasSum", slopeSums: "weightSum" })}
  if (isFirst) {
    let place = image * ${columns}u + column;
    ${sums.bias}[place] = plainSums[own];
    ${sums.weight}[place] = slopeSums[own];
    plainSums[own] *= factor;
    slopeSums[own] *= factor;
  }
  workgroupBarrier();
  let values = f32(params.pixels) * ${members}.0;
  let plain = plainSumsOfGroup(own) / values;
  let slope = slopeSumsOfGroup(own) / values;
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${normal.again(pixel)}
    ${dz.again(pixel)}
    xGradient[at] = ${stored}(scale * (factor * dz${pixel} - plain - normal${pixel} * slope));`,
)}`;
  const bindings = {
    label: "gradient",
    read: {
      x: stored,
      weight: "vec4<f32>",
      ...(silu ? { bias: "vec4<f32>" } : {}),
      mean: "f32",
      rstd: "f32",
      gradient: stored,
    },
    write: { xGradient: stored, [sums.bias]: "vec4<f32>", [sums.weight]: "vec4<f32>" },
  };
  const functions = silu ? siluDerivativeFunction("vec4<f32>") : "";
  return blocks.pass(bindings, ["plainSums", "slopeSums"], functions, body);
}
