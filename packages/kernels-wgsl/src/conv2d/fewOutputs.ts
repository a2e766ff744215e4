/**
 * Convolutions to few channels, such as the last one of a network that makes images. A tile of a matrix product would stand
 * empty but for those channels and load every pixel once for each tap; here a thread makes all channels of a strip of neighbouring
 * pixels and loads what their windows share once.
 */
import { type Capabilities, grid, type Pass } from "../kernel.ts";
import { type StoredProduct, tilePass } from "../matmul/product.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv } from "../spec.ts";
import { uniform } from "../uniform.ts";
import { type Geometry, isPlain, numbersOf } from "./geometry.ts";

const mostOutputs = 3;
const mostTaps = 3;
const workgroupSize = 64;
/** Neighbouring pixels of a thread. */
const pixels = 4;

/** Whether the windows of neighbouring pixels overlap and everything fits in registers. */
export const hasFewOutputs = (g: Geometry): boolean =>
  isPlain(g) &&
  g.outChannels <= mostOutputs &&
  g.kernelWidth <= mostTaps &&
  g.inChannels > 0 &&
  g.inChannels % 4 === 0;

/** @param product the same convolution as a matrix product, which says how results are stored */
export function fewOutputsPass(caps: Capabilities, g: Geometry, product: StoredProduct): Pass {
  const lanes = caps.adapterClass === "software" ? fixedSubgroup(caps) : 0;
  const { outChannels, kernelHeight, kernelWidth } = g;
  const window = pixels + kernelWidth - 1;
  /** Weights of a row of taps and four channels in: in storage, those of a tap are contiguous. */
  const perTap = 4 * outChannels;
  const weights = kernelWidth * perTap;
  const n = numbersOf(g);
  const first = `(kh * ${kernelWidth}u * ${n.inChannels} + quad * 4u) * ${outChannels}u`;
  const element = (index: string) => `f32(weight[${index}])`;
  // Where lanes can shuffle, each loads some of the weights; elsewhere all load all, which a GPU's cache answers at once.
  const loadWeights = lanes
    ? repeat(
        ceilDiv(weights, lanes),
        (m) => `      let place${m} = min(lane + ${m * lanes}u, ${weights - 1}u);
      let part${m} = ${element(`${first} + place${m} / ${perTap}u * ${outChannels}u * ${n.inChannels} + place${m} % ${perTap}u`)};`,
      )
    : "";
  const weightAt = (tap: number, c: number, o: number): string => {
    const place = tap * perTap + c * outChannels + o;
    if (lanes) return `subgroupShuffle(part${Math.floor(place / lanes)}, ${place % lanes}u)`;
    return element(`${first} + ${tap * outChannels}u * ${n.inChannels} + ${c * outChannels + o}u`);
  };
  const multiply = repeat(kernelWidth, (tap) =>
    repeat(4, (c) =>
      repeat(
        outChannels,
        (o) =>
          `      { let value = ${weightAt(tap, c, o)}; ${repeat(pixels, (p) => `sum${p}[${o}] += value * x${p + tap}[${c}];`, " ")} }`,
      ),
    ),
  );
  const strips = `((params.outWidth + ${pixels - 1}u) / ${pixels}u)`;
  const count = g.batch * g.outHeight * ceilDiv(g.outWidth, pixels);
  const size = lanes || workgroupSize;
  return {
    ...tilePass(
      product,
      { rows: product.rows, columns: product.columns },
      1,
      /* wgsl */ `
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(${lanes ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32) {
  let i = (group.y * groups.x + group.x) * ${size}u + lane;
  let slice = sliceOf(0u);
  // Threads past the end work with the others, which may wait for their weights, and store nothing.
  let line = i / ${strips};
  let image = line / params.outHeight;
  let oh = line % params.outHeight;
  let ow = i % ${strips} * ${pixels}u;
${repeat(pixels, (p) => `  var sum${p} = vec4f();`)}
  for (var kh = 0u; kh < ${uniform("kernelHeight", kernelHeight)}; kh++) {
    // Above and left of the image the coordinates wrap around to huge values, which are outside too.
    let h = oh + kh - ${n.top};
    let inImage = h < params.height && image < params.batch;
    let row = (image * params.height + h) * params.width;
${repeat(window, (t) => `    let w${t} = ow + ${t}u - ${n.left};\n    let inside${t} = inImage && w${t} < params.width;\n    let at${t} = select(0u, (row + w${t}) * ${n.inChannels}, inside${t});`)}
    for (var quad = 0u; quad < ${n.inChannels} / 4u; quad++) {
${repeat(window, (t) => `      let x${t} = select(vec4f(), xQuad(at${t} + quad * 4u, 4u), inside${t});`)}
${loadWeights}
${multiply}
    }
  }
  if (image >= params.batch) { return; }
${repeat(pixels, (p) => `  if (ow + ${p}u < params.outWidth) { store(slice, 0u, line * params.outWidth + ow + ${p}u, 0u, sum${p}); }`)}
}`,
    ),
    workgroups: grid(ceilDiv(count, size)),
  };
}
