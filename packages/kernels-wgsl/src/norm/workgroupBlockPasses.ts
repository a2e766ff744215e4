/** Group norm, forward and backward, in terms of {@link WorkgroupBlocks}: one pass, or two where blocks are slabs of images. */
import type { Pass } from "../kernel.ts";
import { spec, type TensorSpec } from "../spec.ts";
import { type Activation, activateFunction, siluDerivativeFunction } from "./activation.ts";
import { storeGroups } from "./blocks.ts";
import { gradientBindings, type ImageSums } from "./passes.ts";
import { keptPixels, type WorkgroupBlocks } from "./workgroupBlocks.ts";

/** What slabs leave for the second pass of {@link forwardWorkgroupPasses}. */
export function forwardWorkgroupScratch({ slabs, layout }: WorkgroupBlocks): Record<string, TensorSpec> {
  const statistic = spec([layout.images, slabs, layout.groups]);
  return slabs > 1 ? { slabMean: statistic, slabVariance: statistic } : {};
}

/**
 * x → y, mean and rstd. The first sum gives a mean that is `near` enough; that of the offsets from it gives what it lacks, and corrects
 * the sum of their squares: n · variance = Σ o² − (Σ o)² / n, of which the second term is next to nothing (Chan, Golub and LeVeque
 * 1983, "Algorithms for computing the sample variance"). Slabs are combined in the same way.
 */
export function forwardWorkgroupPasses(blocks: WorkgroupBlocks, activation: Activation): Pass[] {
  const { stored, members, layout } = blocks;
  const names = ["sums", "squares"];
  const functions = activateFunction(activation, "vec4<f32>");
  const value = blocks.value("value", () => "vec4f(x[at])");
  const statistics = /* wgsl */ `
${value.declare}
  var sum = vec4f();
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${value.first(pixel)}
    sum += value${pixel};`,
)}
${blocks.addUp({ sums: "sum" })}
  let values = f32(count) * ${members}.0;
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
  let variance = max(squaresOfGroup(own) / values - rest * rest, vec4f());`;
  const combined = /* wgsl */ `
  let pixels = f32(params.pixels);
  var sum = vec4f();
${blocks.overSlabs(`    sum += n * ${blocks.perGroup("slabMean", "place")};`)}
${blocks.addUp({ sums: "sum" })}
  let near = sums[own] / pixels;
  sum = vec4f();
  var sumSquares = vec4f();
${blocks.overSlabs(/* wgsl */ `
    let offset = ${blocks.perGroup("slabMean", "place")} - near;
    sum += n * offset;
    sumSquares += n * (${blocks.perGroup("slabVariance", "place")} + offset * offset);`)}
${blocks.addUp({ sums: "sum", squares: "sumSquares" })}
  let rest = sums[own] / pixels;
  let middle = near + rest;
  let variance = max(squares[own] / pixels - rest * rest, vec4f());`;
  const apply = (again: (pixel: string) => string): string => /* wgsl */ `
  let spread = vec4f(1.0) / sqrt(variance + params.epsilon);
  if (isFirst && slab == 0u) {
      ${storeGroups(layout, { mean: "middle", rstd: "spread" })}
  }
  let scale = spread * weight[column];
  let shift = bias[column];
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${again(pixel)}
    y[at] = ${stored}(activate((value${pixel} - middle) * scale + shift));`,
)}`;
  const read = { x: stored, weight: "vec4<f32>", bias: "vec4<f32>" };
  const write = { y: stored, mean: "f32", rstd: "f32" };
  if (blocks.slabs === 1)
    return [blocks.pass({ read, write }, names, functions, statistics + apply(value.again))];
  const slabStatistics = { slabMean: "f32", slabVariance: "f32" };
  const store = storeGroups(
    layout,
    { slabMean: "middle", slabVariance: "variance" },
    "(image * slabs + slab)",
  );
  return [
    blocks.pass(
      { label: "slabs", read: { x: stored }, write: slabStatistics },
      names,
      "",
      `${statistics}\n  if (isFirst) {\n      ${store}\n  }`,
    ),
    blocks.pass(
      { label: "apply", read: { ...read, ...slabStatistics }, write },
      names,
      functions,
      combined + apply(blocks.value("value", () => "vec4f(x[at])", 0).again),
    ),
  ];
}

/** What slabs leave for the second pass of {@link gradientWorkgroupPasses}: sums of the gradient of z, and of it times x̂. */
export const gradientWorkgroupScratch = ({ slabs, layout }: WorkgroupBlocks): Record<string, TensorSpec> =>
  slabs > 1 ? { slabSums: spec([layout.images, slabs, 2, layout.channels]) } : {};

/**
 * The gradient of x, and in `sums` each image's contribution to those of weight and bias. Formula: see `gradientPasses`. Where both cannot be
 * kept, it is the gradient at z, which costs more to have again than x normalised.
 */
export function gradientWorkgroupPasses(
  blocks: WorkgroupBlocks,
  activation: Activation,
  sums: ImageSums,
): Pass[] {
  const { stored, members, columns } = blocks;
  const silu = activation === "silu";
  const names = ["plainSums", "slopeSums"];
  const functions = silu ? siluDerivativeFunction("vec4<f32>") : "";
  const pixelValues = (normalKept: number, dzKept: number) => [
    blocks.value("normal", () => "(vec4f(x[at]) - centre) * scale", normalKept),
    blocks.value(
      "dz",
      (pixel) =>
        silu ? `derivative(normal${pixel} * factor + shift) * vec4f(gradient[at])` : "vec4f(gradient[at])",
      dzKept,
    ),
  ];
  const kept = pixelValues(keptPixels / 2, keptPixels);
  const loads = /* wgsl */ `
  let centre = ${blocks.perGroup("mean")};
  let scale = ${blocks.perGroup("rstd")};
  let factor = weight[column];${silu ? "\n  let shift = bias[column];" : ""}
  var biasSum = vec4f();
  var weightSum = vec4f();`;
  const addPixels = /* wgsl */ `
${kept.map(({ declare }) => declare).join("\n")}
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${kept.map(({ first }) => first(pixel)).join("\n    ")}
    biasSum += dz${pixel};
    weightSum += dz${pixel} * normal${pixel};`,
)}
${blocks.addUp({ plainSums: "biasSum", slopeSums: "weightSum" })}`;
  const addSlabs = /* wgsl */ `
${blocks.overSlabs(/* wgsl */ `
    biasSum += slabSums[place * ${2 * columns}u + column];
    weightSum += slabSums[place * ${2 * columns}u + ${columns}u + column];`)}
${blocks.addUp({ plainSums: "biasSum", slopeSums: "weightSum" })}`;
  const apply = (again: (pixel: string) => string): string => /* wgsl */ `
  if (isFirst) {
    if (slab == 0u) {
      let at = image * ${columns}u + column;
      ${sums.bias}[at] = plainSums[own];
      ${sums.weight}[at] = slopeSums[own];
    }
    plainSums[own] *= factor;
    slopeSums[own] *= factor;
  }
  workgroupBarrier();
  let values = f32(params.pixels) * ${members}.0;
  let plain = plainSumsOfGroup(own) / values;
  let slope = slopeSumsOfGroup(own) / values;
${blocks.overPixels(
  (pixel) => /* wgsl */ `
    ${again(pixel)}
    xGradient[at] = ${stored}(scale * (factor * dz${pixel} - plain - normal${pixel} * slope));`,
)}`;
  const againOf =
    (values: typeof kept) =>
    (pixel: string): string =>
      values.map(({ again }) => again(pixel)).join("\n    ");
  const { read, write } = gradientBindings(stored, silu, sums);
  if (blocks.slabs === 1) {
    const body = loads + addPixels + apply(againOf(kept));
    return [blocks.pass({ label: "gradient", read, write }, names, functions, body)];
  }
  const slabSums = { slabSums: "vec4<f32>" };
  const store = /* wgsl */ `
  if (isFirst) {
    let at = (image * slabs + slab) * ${2 * columns}u + column;
    slabSums[at] = plainSums[own];
    slabSums[at + ${columns}u] = slopeSums[own];
  }`;
  return [
    blocks.pass({ label: "slabs", read, write: slabSums }, names, functions, loads + addPixels + store),
    blocks.pass(
      { label: "apply", read: { ...read, ...slabSums }, write },
      names,
      functions,
      loads + addSlabs + apply(againOf(pixelValues(0, 0))),
    ),
  ];
}
