/** Operators that only move elements. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast } from "./layout.ts";

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** A list for every axis from one for some of them. */
const perAxis = (call: Call, axes: readonly number[], list: readonly number[]): (number | undefined)[] =>
  call.shape().map((_, axis) => list[axes.map((at) => call.axis(at)).indexOf(axis)]);

/** [N, …] by blocks of `block` × `block` pixels, by layout alone. */
function blocks(
  x: Tensor,
  split: readonly number[],
  order: readonly number[],
  shape: readonly number[],
): Tensor {
  return nn.reshape(nn.permute(nn.reshape(x, split), order), shape);
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
    const count = call.node.outputs.length;
    const equal = Math.ceil(call.shape()[axis]! / count);
    return nn.split(call.x(), (await call.intsOrInput("split", 1)) ?? equal, axis);
  },

  Slice: async (call) => {
    const starts = (await call.intsOrInput("starts", 1)) ?? [];
    const ends = (await call.intsOrInput("ends", 2)) ?? [];
    const axes = (await call.intsOrInput("axes", 3)) ?? starts.map((_, axis) => axis);
    const steps = (await call.numbers(4)) ?? [];
    const [start, end, step] = [starts, ends, steps].map((list) => perAxis(call, axes, list));
    return nn.slice(call.x(), start!, end!, step!);
  },

  Pad: async (call) => {
    const pads = (await call.intsOrInput("pads", 1)) ?? call.ints("paddings") ?? [];
    const value = (await call.number(2)) ?? call.float("value", 0);
    const mode = call.text("mode", "constant") as "constant" | "reflect" | "edge";
    const [before, after] = [pads.slice(0, call.rank), pads.slice(call.rank)];
    return nn.pad(call.x(), before, after, mode === "constant" ? value : { mode });
  },

  Tile: async (call) => nn.tile(call.x(), (await call.numbers(1)) ?? []),

  Trilu: async (call) => {
    const diagonal = (await call.number(1)) ?? 0;
    return call.int("upper", 1) ? nn.triu(call.x(), diagonal) : nn.tril(call.x(), diagonal);
  },

  DepthToSpace: (call) => {
    const block = call.int("blocksize", 1);
    // Channels outermost is PyTorch's order, which `pixelShuffle` has.
    if (call.text("mode", "DCR") === "CRD")
      return channelsFirst(nn.pixelShuffle(channelsLast(call.x()), block));
    const [n, channels, h, w] = call.shape() as [number, number, number, number];
    const c = channels / block ** 2;
    return blocks(call.x(), [n, block, block, c, h, w], [0, 3, 4, 1, 5, 2], [n, c, h * block, w * block]);
  },

  SpaceToDepth: (call) => {
    const block = call.int("blocksize", 1);
    const [n, c, height, width] = call.shape() as [number, number, number, number];
    const [h, w] = [height / block, width / block];
    return blocks(call.x(), [n, c, h, block, w, block], [0, 3, 5, 1, 2, 4], [n, c * block ** 2, h, w]);
  },

  ReverseSequence: async (call) => {
    const [batchAxis, timeAxis] = [call.int("batch_axis", 1), call.int("time_axis", 0)];
    const lengths = (await call.numbers(1))!;
    const shape = call.shape();
    const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
    const place = (at: number, axis: number): number => Math.floor(at / strides[axis]!) % shape[axis]!;
    const source = Array.from({ length: product(shape) }, (_, at) => {
      const [time, length] = [place(at, timeAxis), lengths[place(at, batchAxis)]!];
      return time < length ? length - 1 - time : time;
    });
    return nn.takeAlong(call.x(), nn.tensor(source, shape, { dtype: "i32" }), timeAxis);
  },
};
