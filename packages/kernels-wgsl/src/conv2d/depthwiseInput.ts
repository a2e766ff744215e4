/** The input gradient of a depthwise convolution: a thread makes four channels of a strip of neighbouring pixels. */
import { type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { elementsFor, loadQuad, type StoredProduct, tilePass } from "../matmul/product.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv, type DType } from "../spec.ts";
import { strip } from "./depthwise.ts";
import { type Geometry, times } from "./geometry.ts";

const workgroupSize = 64;

/** `fn <name>Quad`: four of x's channels on y's side, the `multiplier`-th output channel of each where there are several. */
function memberQuad(name: string, g: Geometry, dtype: DType): { elements: string; code: string } {
  if (g.groupOut === 1) {
    const elements = elementsFor(g.outChannels, dtype);
    return {
      elements,
      code: `${loadQuad(`${name}`, elements)}
fn ${name}At(row: u32, channel: u32, member: u32) -> vec4f { return ${name}Quad(row * ${g.outChannels}u + channel, ${g.outChannels}u - channel); }`,
    };
  }
  const lanes = [0, 1, 2, 3].map(
    (j) =>
      `f32(${name}[row * ${g.outChannels}u + min(channel + ${j}u, ${g.inChannels - 1}u) * ${g.groupOut}u + member])`,
  );
  return {
    elements: dtype,
    code: `fn ${name}At(row: u32, channel: u32, member: u32) -> vec4f { return vec4f(${lanes.join(", ")}); }`,
  };
}

/**
 * @param product the gradient by `acrossGroups`, which says how results are stored
 * @param types of gradient and weight
 */
export function depthwiseInputPass(
  _caps: Capabilities,
  g: Geometry,
  product: StoredProduct,
  types: { readonly gradient: DType; readonly weight: DType },
): Pass {
  const { kernelHeight, kernelWidth } = g;
  const gradient = memberQuad("gradient", g, types.gradient);
  const weight = memberQuad("weight", g, types.weight);
  const quads = ceilDiv(g.inChannels, 4);
  const [sh, sw] = g.stride;
  /** Where the strip's pixels p meet tap kw, in columns of the image before the division by the stride. */
  const met = (p: number, kw: number): number => p + g.left - kw * g.dilation[1];
  const all = Array.from({ length: strip * kernelWidth }, (_, i) =>
    met(Math.floor(i / kernelWidth), i % kernelWidth),
  );
  const columns = [...new Set(all)].sort((a, b) => a - b);
  const nameOf = (t: number): string => `${t < 0 ? "m" : "p"}${Math.abs(t)}`;
  const shifted = (t: number): string => (t < 0 ? `first - ${-t}u` : `first + ${t}u`);
  const strips = `((params.width + ${strip - 1}u) / ${strip}u)`;
  const divided = (value: string, by: number): string => (by === 1 ? value : `${value} / ${by}u`);
  const meets = (value: string, by: number, extent: string): string =>
    by === 1 ? `${value} < ${extent}` : `${value} % ${by}u == 0u && ${value} / ${by}u < ${extent}`;
  return {
    ...tilePass(
      {
        ...product,
        read: { gradient: gradient.elements, weight: weight.elements },
        code: /* wgsl */ `
${gradient.code}
${weight.code}
struct Slice { unused: u32 }
fn outputRow(slice: Slice, row: u32) -> u32 { return row; }`,
      },
      { rows: product.rows, columns: product.columns },
      1,
      perThread(
        workgroupSize,
        /* wgsl */ `
  let line = i / ${quads}u / ${strips};
  if (line >= params.batch * params.height) { return; }
  let channel = i % ${quads}u * 4u;
  let first = i / ${quads}u % ${strips} * ${strip}u;
  let image = line / params.height;
${repeat(strip, (p) => `  var sum${p} = vec4f();`)}
  for (var kh = 0u; kh < ${kernelHeight}u; kh++) {
    // Above and left of the output the coordinates wrap around to huge values, which are outside too.
    let h = line % params.height + ${g.top}u - kh${times(g.dilation[0])};
    if (!(${meets("h", sh, "params.outHeight")})) { continue; }
    let row = (image * params.outHeight + ${divided("h", sh)}) * params.outWidth;
    for (var member = 0u; member < ${g.groupOut}u; member++) {
${columns.map((t) => `    let w${nameOf(t)} = ${shifted(t)};\n    let inside${nameOf(t)} = ${meets(`w${nameOf(t)}`, sw, "params.outWidth")};\n    let y${nameOf(t)} = select(vec4f(), gradientAt(select(0u, row + ${divided(`w${nameOf(t)}`, sw)}, inside${nameOf(t)}), channel, member), inside${nameOf(t)});`).join("\n")}
${repeat(kernelWidth, (kw) => `    let weight${kw} = weightAt(kh * ${kernelWidth}u + ${kw}u, channel, member);`)}
${repeat(kernelWidth, (kw) => repeat(strip, (p) => `    sum${p} += weight${kw} * y${nameOf(met(p, kw))};`))}
    }
  }
${repeat(strip, (p) => `  if (first + ${p}u < params.width) { store(Slice(), 0u, line * params.width + first + ${p}u, channel, sum${p}); }`)}`,
      ),
    ),
    workgroups: grid(ceilDiv(g.batch * g.height * ceilDiv(g.width, strip) * quads, workgroupSize)),
  };
}
