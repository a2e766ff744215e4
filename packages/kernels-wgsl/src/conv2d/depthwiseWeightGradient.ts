/**
 * The weight gradient of a depthwise convolution. A thread sums a row of taps of four channels over some rows of y; a second
 * pass adds what the threads of each tap have, always in the same order.
 */
import { type Call, type Capabilities, grid, type Pass, perThread, type Variant } from "../kernel.ts";
import { elementsFor, loadQuad, type StoredProduct, totalPass } from "../matmul/product.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv, spec } from "../spec.ts";
import { channelQuad, isDepthwise, quadAt } from "./depthwise.ts";
import { type Geometry, times } from "./geometry.ts";

const workgroupSize = 64;

/** Parts of the rows of y: enough threads for the adapter, and none of them without a row. */
function partsOf({ adapterClass }: Capabilities, g: Geometry): number {
  const wanted = adapterClass === "software" ? 512 : 16384;
  const threads = ceilDiv(g.outChannels, 4) * g.kernelHeight;
  return Math.max(1, Math.min(g.batch * g.outHeight, ceilDiv(wanted, threads)));
}

/** The sums of the parts as a product with split k would have them, which knows how to add those. */
const totalOf = (g: Geometry): StoredProduct => {
  const taps = g.kernelHeight * g.kernelWidth;
  return {
    ...{ rows: taps, columns: g.outChannels, quads: 0, slices: 1, outputRows: taps },
    ...{ aAlong: "row", bAlong: "column", read: {}, output: "weightGradient", bias: false },
    wgsl: { rows: `${taps}u`, columns: `${g.outChannels}u`, outputRows: `${taps}u` },
    ...{ code: "", outputType: "f32", epilogue: undefined },
  };
};

function sumsPass(caps: Capabilities, g: Geometry, call: Call<"x" | "gradient">): Pass {
  const { kernelHeight, kernelWidth, outChannels } = g;
  const x = channelQuad("x", g, call.inputs.x.dtype);
  const gradient = elementsFor(outChannels, call.inputs.gradient.dtype);
  const parts = partsOf(caps, g);
  const target = parts === 1 ? "weightGradient" : "partial";
  const quads = ceilDiv(outChannels, 4);
  const put = (kw: number): string => {
    const at = `(((part * ${kernelHeight}u + kh) * ${kernelWidth}u + ${kw}u) * ${outChannels}u + channel)`;
    if (outChannels % 4 === 0) return `  ${target}[${at} / 4u] = sum${kw};`;
    return repeat(
      4,
      (j) => `  if (channel + ${j}u < ${outChannels}u) { ${target}[${at} + ${j}u] = sum${kw}[${j}]; }`,
    );
  };
  return {
    ...(parts > 1 && { label: "sums" }),
    read: { x: x.elements, gradient },
    write: { [target]: elementsFor(outChannels) },
    workgroups: grid(ceilDiv(quads * kernelHeight * parts, workgroupSize)),
    code: /* wgsl */ `
${x.code}
${loadQuad("gradient", gradient)}
${perThread(
  workgroupSize,
  /* wgsl */ `
  let part = i / ${quads * kernelHeight}u;
  if (part >= ${parts}u) { return; }
  let kh = i / ${quads}u % ${kernelHeight}u;
  let channel = i % ${quads}u * 4u;
  let lines = params.batch * params.outHeight;
  let each = (lines + ${parts - 1}u) / ${parts}u;
  let last = min((part + 1u) * each, lines);
${repeat(kernelWidth, (kw) => `  var sum${kw} = vec4f();`)}
  for (var line = part * each; line < last; line++) {
    // Above and left of the image the coordinates wrap around to huge values, which are outside too.
    let h = line % params.outHeight * ${g.stride[0]}u + kh${times(g.dilation[0])} - ${g.top}u;
    if (h >= params.height) { continue; }
    let row = (line / params.outHeight * params.height + h) * params.width;
    for (var ow = 0u; ow < params.outWidth; ow++) {
      let value = gradientQuad((line * params.outWidth + ow) * ${outChannels}u + channel, ${outChannels}u - channel);
${repeat(kernelWidth, (kw) => `      { let w = ow${times(g.stride[1])} + ${kw * g.dilation[1]}u - ${g.left}u; sum${kw} += value * select(vec4f(), ${quadAt("x", g, "select(0u, row + w, w < params.width)")}, w < params.width); }`)}
    }
  }
${repeat(kernelWidth, put)}`,
)}`,
  };
}

/** The variant of `conv2dWeightGradient` for depthwise convolutions. */
export const depthwiseWeightGradient = <A, P extends string>(
  geometryOf: (call: Call<"x" | "gradient", "weightGradient", A, P>) => Geometry,
): Variant<"x" | "gradient", "weightGradient", A, P> => ({
  name: "depthwise",
  when: (_caps, call) => isDepthwise(geometryOf(call)),
  scratch(caps, call): Record<string, ReturnType<typeof spec>> {
    const g = geometryOf(call);
    const parts = partsOf(caps, g);
    return parts === 1 ? {} : { partial: spec([parts, g.kernelHeight, g.kernelWidth, g.outChannels]) };
  },
  passes(caps, call) {
    const g = geometryOf(call);
    const parts = partsOf(caps, g);
    const sums = sumsPass(caps, g, call as unknown as Call<"x" | "gradient">);
    return parts === 1 ? [sums] : [sums, totalPass(totalOf(g), parts)];
  },
});
