import {
  concat as concatKernel,
  type DType,
  type Float,
  maxConcatInputs,
  ShapeError,
  show,
} from "@ddad/kernels-wgsl";
import { checkTensors } from "../arguments.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { unsqueeze } from "./reshape.ts";
import { slice } from "./slice.ts";

/**
 * Joins tensors along `axis` (negative: from the end). One call of the kernel joins up to seven.
 *
 * @throws ShapeError where there is none, types differ, or shapes differ in another axis
 */
export function concat<D extends DType = Float>(tensors: readonly Tensor<D>[], axis = 0): Tensor<D> {
  checkTensors("concat", tensors);
  const [first, ...others] = tensors;
  if (!first) throw new ShapeError("concat: needs at least one tensor.");
  const along = normaliseAxis("concat", first, axis);
  others.forEach(({ dtype, shape }, index) => {
    if (dtype !== first.dtype) {
      throw new ShapeError(
        `concat: tensor 0 is ${first.dtype} but tensor ${index + 1} is ${dtype}; cast one of them first.`,
      );
    }
    const alike = first.shape.every((extent, other) => other === along || extent === shape[other]);
    if (!alike || shape.length !== first.shape.length) {
      throw new ShapeError(
        `concat: tensor 0 ${show(first.shape)} and tensor ${index + 1} ${show(shape)} may differ in axis ${along} only.`,
      );
    }
  });
  return join(tensors, along);
}

/** In as few calls as possible, each element moved as rarely as possible: only the surplus is joined beforehand. */
function join<D extends DType>(tensors: readonly Tensor<D>[], axis: number): Tensor<D> {
  if (tensors.length === 1) return tensors[0]!;
  let surplus = tensors.length - maxConcatInputs;
  if (surplus <= 0) return joinFew(tensors, axis);
  const parts: Tensor<D>[] = [];
  for (let at = 0; at < tensors.length; ) {
    const group = tensors.slice(at, at + Math.min(maxConcatInputs, surplus + 1));
    parts.push(join(group, axis));
    surplus -= group.length - 1;
    at += group.length;
  }
  return join(parts, axis);
}

const names = concatKernel.inputs;
type Name = (typeof names)[number];

function joinFew<D extends DType>(tensors: readonly Tensor<D>[], axis: number): Tensor<D> {
  const inputs: Partial<Record<Name, Tensor<D>>> = {};
  const gradients: Partial<Record<Name, (gradients: Record<"y", Tensor>) => Tensor>> = {};
  let start = 0;
  tensors.forEach((tensor, index) => {
    const name = names[index]!;
    const [from, to] = [start, start + tensor.shape[axis]!];
    const at = (position: number): (number | undefined)[] =>
      tensor.shape.map((_, other) => (other === axis ? position : undefined));
    inputs[name] = tensor;
    gradients[name] = ({ y: g }) => slice(g, at(from), at(to));
    start = to;
  });
  const out: Record<"y", Tensor<D>> = record(concatKernel, inputs, { axis }, gradients);
  return out.y;
}

/** Joins tensors of one shape along a new axis (negative: from the end of the result's). */
export function stack<D extends DType = Float>(tensors: readonly Tensor<D>[], axis = 0): Tensor<D> {
  checkTensors("stack", tensors);
  const [first, ...others] = tensors;
  if (!first) throw new ShapeError("stack: needs at least one tensor.");
  others.forEach(({ shape }, index) => {
    if (show(shape) !== show(first.shape)) {
      throw new ShapeError(
        `stack: tensor 0 is ${show(first.shape)} but tensor ${index + 1} is ${show(shape)}; all must have one shape.`,
      );
    }
  });
  const along = normaliseAxis("stack", { shape: [...first.shape, 1] }, axis);
  return concat(
    tensors.map((tensor) => unsqueeze(tensor, along)),
    along,
  );
}
