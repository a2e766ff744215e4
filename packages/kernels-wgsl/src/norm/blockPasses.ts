/** Group norm, forward and backward, in terms of {@link Blocks}. */
import type { Pass } from "../kernel.ts";
import { uniform } from "../uniform.ts";
import { type Activation, activateFunction, siluDerivativeFunction } from "./activation.ts";
import { type Blocks, loadGroups, storeGroups } from "./blocks.ts";
import { gradientBindings, type ImageSums } from "./passes.ts";

/** Pixels of a lane that are summed on their own before they are added to the rest, which keeps the last digits. */
const chunk = 32;

/** A loop over a lane's pixels, chunk by chunk: `before` and `after` enclose the loop over a chunk, from `begin` to `stop`. */
const chunkLoop = (
  step: string,
  { before, body, after }: Record<"before" | "body" | "after", string>,
): string => /* wgsl */ `
    for (var begin = first; begin < end; begin += ${chunk}u * ${step}) {
      let stop = min(begin + ${chunk}u * ${step}, end);
${before}
      for (var at = begin; at < stop; at += ${step}) {
${body}
      }
${after}
    }`;

/**
 * x → y, mean and rstd. Each lane sums chunks of its pixels as offsets from the first one of the chunk, as `statisticsPasses` does
 * with slabs, and combines them by Chan's formula; so do the lanes of a group.
 */
export function forwardBlockPass(blocks: Blocks, activation: Activation): Pass {
  const { stored, step, members } = blocks;
  const statistics = chunkLoop(step, {
    before: /* wgsl */ `
      let origin = vec4f(x[begin]);
      var sum = vec4f();
      var sumSquares = vec4f();`,
    body: /* wgsl */ `
        let offset = vec4f(x[at]) - origin;
        sum += offset;
        sumSquares += offset * offset;`,
    after: /* wgsl */ `
      let n = f32((stop - begin + ${step} - 1u) / ${step});
      let part = n / (count + n);
      let shift = origin + sum / n - centre;
      squares += max(sumSquares - sum * sum / n, vec4f()) + shift * (shift * (count * part));
      centre += shift * part;
      count += n;`,
  });
  const body = /* wgsl */ `
    var count = 0.0;
    var centre = vec4f();
    var squares = vec4f();
${statistics}
    let values = f32(params.pixels * ${uniform("members", members)});
    // The mean is corrected once: its last digits count where data are far from zero.
    let near = overGroup(overPhases(count * centre)) / values;
    let middle = near + overGroup(overPhases(count * (centre - near))) / values;
    let offset = centre - middle;
    let variance = overGroup(overPhases(squares + count * offset * offset)) / values;
    let spread = vec4f(1.0) / sqrt(variance + params.epsilon);
    if (isFirst) {
      ${storeGroups(blocks.layout, { mean: "middle", rstd: "spread" })}
    }
    let scale = spread * weight[column];
    let shift = bias[column];
    // Two pixels in a round, of which the first waits for its activation while the second is loaded: where there is no
    // second one, it is the first again.
    for (var at = first; at < end; at += 2u * ${step}) {
      let next = select(at, at + ${step}, at + ${step} < end);
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
 * `gradientPasses`. Where the result is f32, the gradient at z is kept in its place instead of differentiating SiLU again.
 */
export function gradientBlockPass(blocks: Blocks, activation: Activation, sums: ImageSums): Pass {
  const { stored, step, members, columnsNumber } = blocks;
  const silu = activation === "silu";
  const keeps = silu && blocks.layout.dtype === "f32";
  const normal = "let normal = (vec4f(x[at]) - centre) * scale;";
  const differentiate = `let dy = vec4f(gradient[at]);
        let dz = ${silu ? "derivative(fma(normal, factor, shift)) * " : ""}dy;`;
  const sumLoop = chunkLoop(step, {
    before: /* wgsl */ `
      var chunkBias = vec4f();
      var chunkWeight = vec4f();`,
    body: /* wgsl */ `
        ${normal}
        ${differentiate}${keeps ? "\n        xGradient[at] = dz;" : ""}
        chunkBias += dz;
        chunkWeight = fma(dz, normal, chunkWeight);`,
    after: /* wgsl */ `
      biasSum += chunkBias;
      weightSum += chunkWeight;`,
  });
  const body = /* wgsl */ `
${loadGroups(blocks.layout, { centre: "mean", scale: "rstd" })}
    var biasSum = vec4f();
    var weightSum = vec4f();
${sumLoop}
    biasSum = overPhases(biasSum);
    weightSum = overPhases(weightSum);
    biasTotal += biasSum;
    weightTotal += weightSum;
    let values = f32(params.pixels * ${uniform("members", members)});
    let plain = overGroup(factor * biasSum) / values;
    let slope = overGroup(factor * weightSum) / values;
    let scaledFactor = scale * factor;
    let scaledPlain = scale * plain;
    let scaledSlope = scale * slope;
    for (var at = first; at < end; at += ${step}) {
      ${normal}
      ${keeps ? "let dz = xGradient[at];" : differentiate}
      xGradient[at] = ${stored}(fma(scaledFactor, dz, -fma(scaledSlope, normal, scaledPlain)));
    }`;
  const bindings = { label: "gradient", ...gradientBindings(stored, silu, sums) };
  return blocks.pass(bindings, silu ? siluDerivativeFunction("vec4<f32>") : "", {
    before: /* wgsl */ `
  let factor = weight[column];${silu ? "\n  let shift = bias[column];" : ""}
  var biasTotal = vec4f();
  var weightTotal = vec4f();`,
    body,
    after: /* wgsl */ `
  if (isFirst && run * ${uniform("together", blocks.together)} < params.images) {
    let place = run * ${columnsNumber} + column;
    biasSums[place] = biasTotal;
    weightSums[place] = weightTotal;
  }`,
  });
}
