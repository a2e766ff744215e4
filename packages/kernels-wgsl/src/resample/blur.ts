/** Separable Gaussian blur: its rules, its taps, and one pass along one axis. */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv, type Shape, show, type TensorSpec } from "../spec.ts";

/** Attributes of `gaussianBlur` and its gradient. */
export interface GaussianBlurAttrs {
  /** Standard deviation in pixels. */
  readonly sigma: number;
  /** Width of the window, odd. */
  readonly taps: number;
}

/** Weights of the window, in f64: `exp(−k²/2σ²)` for |k| ≤ (taps − 1)/2, divided by their sum. */
export function gaussianTaps({ sigma, taps }: GaussianBlurAttrs): number[] {
  const radius = (taps - 1) / 2;
  const weights = Array.from({ length: taps }, (_, k) => Math.exp(-((k - radius) ** 2) / (2 * sigma ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** A border reflected without repeating the edge (`d c b | a b c d | c b a`) must be narrower than the image. */
export function checkBlur(
  op: string,
  name: string,
  image: TensorSpec,
  { sigma, taps }: GaussianBlurAttrs,
): void {
  checkImage(op, name, image);
  check(Number.isFinite(sigma) && sigma > 0, op, () => `sigma must be a number above 0 but is ${sigma}.`);
  check(
    Number.isInteger(taps) && taps >= 1 && taps % 2 === 1,
    op,
    () => `taps must be an odd whole number but is ${taps}.`,
  );
  const [, height, width] = image.shape as [number, number, number];
  const radius = (taps - 1) / 2;
  check(
    Math.min(height, width) > radius,
    op,
    () =>
      `${name} ${show(image.shape)} is too small to be reflected by ${radius} pixels; use at most ${2 * Math.min(height, width) - 1} taps.`,
  );
}

/** Index of the pixel that a position up to `length − 1` beyond either edge reflects to. */
export const reflect = (position: number, length: number): number =>
  length - 1 - Math.abs(length - 1 - Math.abs(position));

const workgroupSize = 64;

/** Pixels that one thread makes along the axis: each loaded value serves them all. */
const tile = 8;

/** One axis of an image as `[outer, length, inner]`, in vectors of four where `inner` allows. */
interface Line {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly element: "f32" | "vec4<f32>";
}

function linesOf(shape: Shape): { rows: Line; columns: Line } {
  const [batch, height, width, channels] = shape as [number, number, number, number];
  const line = (outer: number, length: number, elements: number): Line =>
    elements % 4 === 0
      ? { outer, length, inner: elements / 4, element: "vec4<f32>" }
      : { outer, length, inner: elements, element: "f32" };
  return { rows: line(batch * height, width, channels), columns: line(batch, height, width * channels) };
}

const threadsOf = ({ outer, length, inner }: Line): number => outer * ceilDiv(length, tile) * inner;

/** Parameters of {@link blurPasses}: the threads of each. */
export const blurParams = { rowThreads: "u32", columnThreads: "u32" } as const;

export function blurParamsOf(shape: Shape): { rowThreads: number; columnThreads: number } {
  const { rows, columns } = linesOf(shape);
  return { rowThreads: threadsOf(rows), columnThreads: threadsOf(columns) };
}

/** The two passes, along rows and then along columns, from binding `x` through scratch `rows` to binding `y`. */
export function blurPasses(
  x: string,
  y: string,
  shape: Shape,
  attrs: GaussianBlurAttrs,
  gradient: boolean,
): Pass[] {
  const { rows, columns } = linesOf(shape);
  return [
    { label: "rows", ...blurPass(x, "rows", "rowThreads", rows, attrs, gradient) },
    { label: "columns", ...blurPass("rows", y, "columnThreads", columns, attrs, gradient) },
  ];
}

/**
 * Blurs along the middle axis of `[outer, length, inner]`.
 *
 * The adjoint needs no code of its own. With `E` = 2 on the two edge pixels and 1 elsewhere, the blur is `K E⁻¹` with a
 * symmetric `K` (pixel and mirror image count alike, but an edge is its own mirror image), so its adjoint `E⁻¹ K` is
 * `E⁻¹ · blur · E`: scale the edges of what comes in by 2 and of what goes out by ½.
 */
function blurPass(
  from: string,
  to: string,
  threads: keyof typeof blurParams,
  line: Line,
  attrs: GaussianBlurAttrs,
  gradient: boolean,
): Pass {
  const { length, inner, element } = line;
  const last = length - 1;
  const tiles = ceilDiv(length, tile);
  const radius = (attrs.taps - 1) / 2;
  // Zeros behind the window: a value passes all pixels of the tile, and the weights slide past it.
  const weights = [...gaussianTaps(attrs), ...new Array<number>(tile - 1).fill(0)];
  const pixels = Array.from({ length: tile }, (_, pixel) => pixel);
  const edge = (position: string) => `(${position} == 0 || ${position} == ${last})`;
  return {
    read: { [from]: element },
    write: { [to]: element },
    workgroups: grid(ceilDiv(threadsOf(line), workgroupSize)),
    code: /* wgsl */ `
var<private> weights: array<f32, ${weights.length}> = array(${weights.map((weight) => `f32(${weight})`).join(", ")});

fn load(base: u32, position: i32) -> ${element} {
  let reflected = max(${last} - abs(${last} - abs(position)), 0);
  let value = ${from}[base + u32(reflected) * ${inner}u];
  return value${gradient ? ` * select(1.0, 2.0, ${edge("reflected")})` : ""};
}
${perThread(
  workgroupSize,
  /* wgsl */ `
  if (i >= params.${threads}) { return; }
  let c = i % ${inner}u;
  let first = i32(i / ${inner}u % ${tiles}u) * ${tile};
  let base = i / ${inner * tiles}u * ${length * inner}u + c;
${pixels.map((pixel) => `  var total${pixel} = ${element}(0);\n  var weight${pixel} = 0.0;`).join("\n")}
  for (var k = 0; k < ${attrs.taps + tile - 1}; k++) {
    let value = load(base, first + k - ${radius});
${[...pixels]
  .reverse()
  .map((pixel) => `    weight${pixel} = ${pixel === 0 ? "weights[k]" : `weight${pixel - 1}`};`)
  .join("\n")}
${pixels.map((pixel) => `    total${pixel} += weight${pixel} * value;`).join("\n")}
  }
${pixels
  .map((pixel) => {
    const scale = gradient ? ` * select(1.0, 0.5, ${edge(`(first + ${pixel})`)})` : "";
    return `  if (first + ${pixel} <= ${last}) { ${to}[base + u32(first + ${pixel}) * ${inner}u] = total${pixel}${scale}; }`;
  })
  .join("\n")}`,
)}`,
  };
}
