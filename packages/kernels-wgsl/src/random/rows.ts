/** Tensors whose row `n` is drawn with `key[n]`: the shape rule and the pass of `randomUniform` and `randomNormal`. */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import type { Capabilities, Pass } from "../kernel.ts";
import { ceilDiv, type Shape, show, sizeOf, type TensorSpec } from "../spec.ts";
import { checkKey, type Purpose, type Words4, wordsCode, wordsOf } from "./philox.ts";

/** Attributes of `randomUniform` and `randomNormal`. */
export interface RandomRowsAttrs {
  /** The shape of `y`; its first extent is the number of keys. */
  readonly shape: Shape;
}

const rowOf = (shape: Shape): number => sizeOf(shape.slice(1));

export function checkRows(op: string, key: TensorSpec, { shape }: RandomRowsAttrs): void {
  checkKey(op, key);
  check(
    shape.length >= 1 && shape[0] === key.shape[0],
    op,
    () => `shape ${show(shape)} must have one row for each of the ${key.shape[0]} keys.`,
  );
}

/** Parameters of {@link drawPass}: blocks of four elements, one a thread. A row's last block may be cut. */
export const drawParams = { blocks: "u32" } as const;

export const drawParamsOf = (shape: Shape): { blocks: number } => ({
  blocks: shape[0]! * ceilDiv(rowOf(shape), 4),
});

/** `y` from `key`; `code` defines `fn draw(words: vec4<u32>) -> vec4<f32>`. */
export function drawPass(caps: Capabilities, shape: Shape, purpose: Purpose, code: string): Pass {
  const row = rowOf(shape);
  const blocks = ceilDiv(row, 4);
  const whole = row % 4 === 0;
  const loop = gridStride(
    caps,
    drawParamsOf(shape).blocks,
    "params.blocks",
    /* wgsl */ `
    let block = i % ${blocks}u;
    let values = draw(wordsOf(i / ${blocks}u, block));
    ${
      whole
        ? "y[i] = values;"
        : `let at = i / ${blocks}u * ${row}u + 4u * block;
    for (var lane = 0u; lane < min(4u, ${row}u - 4u * block); lane++) { y[at + lane] = values[lane]; }`
    }`,
  );
  return {
    read: { key: "vec4<u32>" },
    write: { y: whole ? "vec4<f32>" : "f32" },
    ...loop,
    code: /* wgsl */ `
${wordsCode(purpose)}
${code}
${loop.code}`,
  };
}

/** The reference: `draw` makes four values of four words. */
export function drawRows(
  key: ArrayLike<number>,
  shape: Shape,
  purpose: Purpose,
  draw: (words: Words4) => readonly number[],
): Float64Array {
  const row = rowOf(shape);
  const y = new Float64Array(sizeOf(shape));
  for (let n = 0; n < shape[0]!; n++)
    for (let block = 0; 4 * block < row; block++)
      y.set(draw(wordsOf(key, n, block, purpose)).slice(0, row - 4 * block), n * row + 4 * block);
  return y;
}
