/** Operators that only move elements. */
import type { Tensor } from "@ddad/nn";
import type { Operators } from "../call.ts";
import { nn } from "../counted.ts";

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** The part of `x` from `start` to `end` (exclusive) along one axis. */
export function part(x: Tensor, axis: number, start: number, end: number): Tensor {
  const starts = x.shape.map((_, k) => (k === axis ? start : 0));
  const size = x.shape.map((extent, k) => (k === axis ? end - start : extent));
  return nn.slice(x, starts, size);
}

export const movement: Operators = {
  Concat: (call) => nn.concat(call.all(), call.int("axis", 1)),

  Expand: async (call) => {
    const wanted = (await call.numbers(1)) ?? [];
    const rank = Math.max(wanted.length, call.rank);
    const from = (extents: readonly number[], k: number): number => extents[k - rank + extents.length] ?? 1;
    const shape = Array.from({ length: rank }, (_, k) => {
      const [extent, asked] = [from(call.shape(), k), from(wanted, k)];
      return extent === 1 ? asked : extent;
    });
    return nn.broadcastTo(call.x(), shape);
  },

  Flatten: (call) => {
    const axis = call.axis(call.int("axis", 1));
    return nn.reshape(call.x(), [product(call.shape().slice(0, axis)), product(call.shape().slice(axis))]);
  },

  Reshape: async (call) => {
    const shape = (await call.intsOrInput("shape", 1)) ?? [];
    const keep = call.int("allowzero", 0) === 0;
    return nn.reshape(
      call.x(),
      shape.map((extent, k) => (extent === 0 && keep ? call.shape()[k]! : extent)),
    );
  },

  Squeeze: async (call) => {
    const axes = (await call.intsOrInput("axes", 1))?.map((axis) => call.axis(axis));
    const shape = call.shape();
    return nn.reshape(
      call.x(),
      shape.filter((extent, axis) => (axes ? !axes.includes(axis) : extent !== 1)),
    );
  },

  Unsqueeze: async (call) => {
    const axes = (await call.intsOrInput("axes", 1)) ?? [];
    const rank = call.rank + axes.length;
    const shape = [...call.shape()];
    for (const axis of axes.map((at) => call.axis(at, rank)).sort((a, b) => a - b)) shape.splice(axis, 0, 1);
    return nn.reshape(call.x(), shape);
  },

  Transpose: (call) => {
    const order = call.ints("perm") ?? call.shape().map((_, axis) => call.rank - 1 - axis);
    return nn.permute(call.x(), order);
  },

  Split: async (call) => {
    const axis = call.axis(call.int("axis", 0));
    const extent = call.shape()[axis]!;
    const count = call.node.outputs.length;
    const sizes =
      (await call.intsOrInput("split", 1)) ?? Array.from({ length: count }, () => Math.ceil(extent / count));
    let start = 0;
    return sizes.map((size) => {
      const end = Math.min(start + size, extent);
      const piece = part(call.x(), axis, start, end);
      start = end;
      return piece;
    });
  },
};
