/** Sums of products in Einstein's notation, made of permutations, sums and matrix products. */
import { type DType, type Float, isFloat, ShapeError, show, sizeOf } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { type Equation, parseEquation } from "./einsumEquation.ts";
import { mul } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { permute } from "./permute.ts";
import { reshape, squeeze } from "./reshape.ts";
import { sum } from "./sum.ts";
import { diagonal } from "./triangle.ts";

/** A tensor and the label of each of its axes, no two alike. */
interface Labelled {
  readonly tensor: AnyTensor;
  readonly labels: readonly string[];
}

/**
 * The sum of products that an equation says, as NumPy's and PyTorch's einsum: `einsum("bij,bjk->bik", a, b)`. A letter names an
 * axis; what is not in the result is summed, a letter twice in one operand is its diagonal, `...` stands for axes that are
 * broadcast. Without `->` the result has the axes of `...` and then the letters that occur once, in the order of the alphabet. Operands
 * are multiplied from left to right, floats by matrix products.
 *
 * @throws ShapeError for equations that do not fit the operands
 */
export function einsum<D extends DType = Float>(
  equation: string,
  ...operands: readonly Tensor<D>[]
): Tensor<D> {
  if (typeof equation !== "string")
    throw new ShapeError('einsum: the equation comes first, as in einsum("ij,jk->ik", a, b).');
  for (const [k, tensor] of operands.entries()) checkTensor("einsum", `operand ${k}`, tensor);
  const parsed = parseEquation(equation, operands);
  const sizes = sizesOf(parsed, operands);
  const output = parsed.output;
  const [first, ...others] = operands.map((tensor, k) =>
    prepared({ tensor, labels: parsed.inputs[k]! }, sizes),
  );
  const result = others.reduce((product, next, k) => {
    const later = others.slice(k + 1).flatMap(({ labels }) => labels);
    return contract(product, next, new Set([...output, ...later]));
  }, first!);
  const summed = reduceTo(result, new Set(output));
  return ordered(summed, output).tensor as Tensor<D>;
}

/** Extent of each label. One of 1 is broadcast. */
function sizesOf({ inputs }: Equation, operands: readonly AnyTensor[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  inputs.forEach((labels, k) => {
    labels.forEach((label, axis) => {
      const [known = 1, own] = [sizes.get(label), operands[k]!.shape[axis]!];
      if (known !== 1 && own !== 1 && known !== own) {
        const name = label.startsWith(".") ? `an axis of "..."` : `"${label}"`;
        throw new ShapeError(
          `einsum: ${name} is ${known} in one operand and ${own} in operand ${k} ${show(operands[k]!.shape)}.`,
        );
      }
      sizes.set(label, known === 1 ? own : known);
    });
  });
  return sizes;
}

/** An operand with its diagonals taken, and without axes of 1 that are broadcast: what has the label there decides. */
function prepared({ tensor, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const twice = labels.find((label, axis) => labels.indexOf(label) !== axis);
  if (twice !== undefined) {
    const [first, second] = [labels.indexOf(twice), labels.lastIndexOf(twice)];
    if (tensor.shape[first] !== tensor.shape[second]) {
      throw new ShapeError(
        `einsum: "${twice}" is ${tensor.shape[first]} and ${tensor.shape[second]} in one operand ${show(tensor.shape)}.`,
      );
    }
    const others = labels.filter((_, axis) => axis !== first && axis !== second);
    return prepared({ tensor: diagonal(tensor, 0, first, second), labels: [...others, twice] }, sizes);
  }
  const repeated = labels.flatMap((label, axis) =>
    tensor.shape[axis] === 1 && sizes.get(label) !== 1 ? [axis] : [],
  );
  return {
    tensor: squeeze(tensor, repeated),
    labels: labels.filter((_, axis) => !repeated.includes(axis)),
  };
}

/** Sums over the labels that are not kept. */
function reduceTo({ tensor, labels }: Labelled, kept: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (kept.has(label) ? [] : [axis]));
  if (!axes.length) return { tensor, labels };
  return { tensor: sum(tensor, axes), labels: labels.filter((label) => kept.has(label)) };
}

const ordered = ({ tensor, labels }: Labelled, order: readonly string[]): Labelled => ({
  tensor: permute(
    tensor,
    order.map((label) => labels.indexOf(label)),
  ),
  labels: order,
});

/** The product of two operands, summed over what both have and nobody needs afterwards. */
function contract(left: Labelled, right: Labelled, needed: ReadonlySet<string>): Labelled {
  const a = reduceTo(left, new Set([...needed, ...right.labels]));
  const b = reduceTo(right, new Set([...needed, ...left.labels]));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const summed = shared.filter((label) => !needed.has(label));
  const floats = isFloat(a.tensor.dtype) && isFloat(b.tensor.dtype);
  if (summed.length && floats) return matrixProduct(a, b, new Set(summed));
  return reduceTo(elementwiseProduct(a, b), needed);
}

/** Every element of one with every element of the other, those of shared labels with their like. */
function elementwiseProduct(a: Labelled, b: Labelled): Labelled {
  const labels = [...a.labels, ...b.labels.filter((label) => !a.labels.includes(label))];
  const aligned = (operand: Labelled): Tensor => {
    const own = labels.filter((label) => operand.labels.includes(label));
    const { tensor } = ordered(operand, own);
    const shape = labels.map((label) => (own.includes(label) ? tensor.shape[own.indexOf(label)]! : 1));
    return reshape(tensor, shape) as AnyTensor as Tensor;
  };
  return { tensor: mul(aligned(a), aligned(b)), labels };
}

/** As one matrix product for each combination of shared labels that stay. */
function matrixProduct(a: Labelled, b: Labelled, summed: ReadonlySet<string>): Labelled {
  const inner = a.labels.filter((label) => summed.has(label));
  const batch = a.labels.filter((label) => b.labels.includes(label) && !summed.has(label));
  const rows = a.labels.filter((label) => !b.labels.includes(label));
  const columns = b.labels.filter((label) => !a.labels.includes(label));
  const [left, transposeA] = matrices(a, batch, rows, inner);
  const [right, transposed] = matrices(b, batch, columns, inner);
  const y = matmul(left, right, { transposeA, transposeB: !transposed });
  const extents = (operand: Labelled, labels: readonly string[]): number[] =>
    labels.map((label) => operand.tensor.shape[operand.labels.indexOf(label)]!);
  const shape = [...extents(a, batch), ...extents(a, rows), ...extents(b, columns)];
  return { tensor: reshape(y, shape), labels: [...batch, ...rows, ...columns] };
}

/** As [batch, outer, inner], or [batch, inner, outer] and true where the axes already are in that order. */
function matrices(
  operand: Labelled,
  batch: readonly string[],
  outer: readonly string[],
  inner: readonly string[],
): [matrices: Tensor, innerFirst: boolean] {
  const innerFirst = [...batch, ...inner, ...outer].every((label, axis) => operand.labels[axis] === label);
  const groups = innerFirst ? [batch, inner, outer] : [batch, outer, inner];
  const { tensor, labels } = ordered(operand, groups.flat());
  const sizes = groups.map((group) => sizeOf(group.map((label) => tensor.shape[labels.indexOf(label)]!)));
  return [reshape(tensor, sizes) as AnyTensor as Tensor, innerFirst];
}
