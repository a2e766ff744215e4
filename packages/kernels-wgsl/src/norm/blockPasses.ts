/** Group norm, forward and backward, in terms of {@link Blocks}. */
import type { Pass } from "../kernel.ts";
import { type Activation, activateFunction, siluDerivativeFunction } from "./activation.ts";
import { type Blocks, chunk } from "./blocks.ts";
import type { ImageSums } from "./passes.ts";

/**
 * The place of the second of two neighbouring pixels of a lane, and whether there is one; where not, it is the first again. Two in
 * a round of a loop keep more of the core busy than one.
 */
const neighbour = (step: number, end: string): string => /* wgsl */ `
        let inside = at + ${step}u < ${end};
        let next = select(at, at + ${step}u, inside);`;

/**
 * x → y, mean and rstd. Each lane sums chunks of its pixels as offsets from the first one of the chunk, as `statisticsPasses` does
 * with slabs, and combines them by Chan's formula; so do the lanes of a group.
 */
export function forwardBlockPass(blocks: Blocks, activation: Activation): Pass {
  const { stored, step, members } = blocks;
  const body = /* wgsl */ `
    var count = 0.0;
    var centre = vec4f();
    var squares = vec4f();
    for (var begin = first; begin < end; begin += ${chunk * step}u) {
      let stop = min(begin + ${chunk * step}u, end);
      let origin = vec4f(x[begin]);
      var sum = vec4f();
      var sumSquares = vec4f();
      for (var at = begin; at < stop; at += ${2 * step}u) {${neighbour(step, "stop")}
        let a = vec4f(x[at]) - origin;
        let b = select(vec4f(), vec4f(x[next]) - origin, inside);
        sum += a + b;
        sumSquares += a * a + b * b;
      }
      let n = f32((stop - begin + ${step - 1}u) / ${step}u);
      let part = n / (count + n);
      let shift = origin + sum / n - centre;
      squares += max(sumSquares - sum * sum / n, vec4f()) + shift * (shift * (count * part));
      centre += shift * part;
      count += n;
    }
    let values = f32(params.pixels) * ${members}.0;
    // The mean is corrected once: its last digits count where data are far from zero.
    let near = overGroup(overPhases(count * centre)) / values;
    let middle = near + overGroup(overPhases(count * (centre - near))) / values;
    let offset = centre - middle;
    let variance = overGroup(overPhases(squares + count * offset * offset)) / values;
    let spread = vec4f(1.0) / sqrt(variance + params.epsilon);
    if (isFirst) {
      ${blocks.storeGroups({ mean: "middle", rstd: "spread" })}
    }
    let scale = spread * weight[column];
    let shift = bias[column];
    for (var at = first; at < end; at += ${2 * step}u) {${neighbour(step, "end")}
        let a = activate((vec4f(x[at]) - middle) * scale + shift);
        let b = activate((vec4f(x[next]) - middle) * scale + shift);
        y[at] = ${stored}(a);
        y[next] = ${stored}(b);
    }`;
  const bindings = {
    read: { x: stored, weight: "vec4<f32>", bias: "vec4<f32>" },
    write: { y: stored, mean: "f32", rstd: "f32" },
  };
  return blocks.pass(bindings, activateFunction(activation, "vec4<f32>"), { body });
}

/**
 * The gradient of x, and in `sums` what the images that are taken together give to those of weight and bias. Formula: see
 * `gradientPasses`. What SiLU gives back is computed twice, because on a CPU it costs less than to write and read it.
 */
export function gradientBlockPass(blocks: Blocks, activation: Activation, sums: ImageSums): Pass {
  const { stored, step, members, columns } = blocks;
  const silu = activation === "silu";
  /** Of the pixel at `at`: x̂ and the gradient at z. */
  const load = (name: string, at: string): string => /* wgsl */ `
        let ${name} = (vec4f(x[${at}]) - centre) * scale;
        let ${name}Dz = vec4f(gradient[${at}])${silu ? ` * derivative(${name} * factor + shift)` : ""};`;
  const body = /* wgsl */ `
    let centre = ${blocks.perGroup("mean")};
    let scale = ${blocks.perGroup("rstd")};
    var biasSum = vec4f();
    var weightSum = vec4f();
    for (var begin = first; begin < end; begin += ${chunk * step}u) {
      let stop = min(begin + ${chunk * step}u, end);
      var chunkBias = vec4f();
      var chunkWeight = vec4f();
      for (var at = begin; at < stop; at += ${2 * step}u) {${neighbour(step, "stop")}${load("a", "at")}${load("b", "next")}
        let bInside = select(vec4f(), bDz, inside);
        chunkBias += aDz + bInside;
        chunkWeight += aDz * a + bInside * b;
      }
      biasSum += chunkBias;
      weightSum += chunkWeight;
    }
    biasSum = overPhases(biasSum);
    weightSum = overPhases(weightSum);
    biasTotal += biasSum;
    weightTotal += weightSum;
    let values = f32(params.pixels) * ${members}.0;
    let plain = overGroup(factor * biasSum) / values;
    let slope = overGroup(factor * weightSum) / values;
    for (var at = first; at < end; at += ${2 * step}u) {${neighbour(step, "end")}${load("a", "at")}${load("b", "next")}
        xGradient[at] = ${stored}(scale * (factor * aDz - plain - a * slope));
        xGradient[next] = ${stored}(scale * (factor * bDz - plain - b * slope));
    }`;
  const bindings = {
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
  return blocks.pass({ label: "gradient", ...bindings }, silu ? siluDerivativeFunction("vec4<f32>") : "", {
    before: /* wgsl */ `
  let factor = weight[column];${silu ? "\n  let shift = bias[column];" : ""}
  var biasTotal = vec4f();
  var weightTotal = vec4f();`,
    body,
    after: /* wgsl */ `
  if (isFirst && run * ${blocks.together}u < params.images) {
    let place = run * ${columns}u + column;
    ${sums.bias}[place] = biasTotal;
    ${sums.weight}[place] = weightTotal;
  }`,
  });
}
