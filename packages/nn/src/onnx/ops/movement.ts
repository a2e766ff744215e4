/** Operations that move elements or fold them along axes. Axes are named in the order that the value has in the file. */
import { type DType, UsageError } from "@ddad/tensor";
import { elementType } from "../model.ts";
import { type AxisOrder, onnxType, sameOrder, type Translation } from "../translation.ts";
import type { Translator } from "./translator.ts";

/** Where axes of the tensor are in the file. */
const inFile = (order: AxisOrder, axes: readonly number[]): number[] =>
  axes.map((axis) => order.indexOf(axis));

export const reshape: Translator = (t, { inputs, outputs }) => t.writeView(outputs["y"]!, inputs["x"]!);

/** Costs nothing: the same value, its axes counted otherwise. */
export const permute: Translator = (t, { attrs, inputs, outputs }) => {
  const { order } = attrs as { order: readonly number[] };
  const x = inputs["x"]!;
  const written = t.orderOf(x);
  t.write(outputs["y"]!, t.read(x, written), inFile(order, written));
};

export const copy: Translator = (t, { inputs, outputs }) => {
  const order = t.orderOf(inputs["x"]!);
  t.write(outputs["y"]!, t.read(inputs["x"]!, order), order);
};

export const concat: Translator = (t, { attrs, inputs, outputs }) => {
  const { axis } = attrs as { axis: number };
  const operands = Object.values(inputs);
  const order = t.commonOrder(operands, operands[0]!.shape.length);
  const [along] = inFile(order, [axis]) as [number];
  const read = operands.map((operand) => t.read(operand, order));
  t.write(outputs["y"]!, t.emit("Concat", read, { axis: along }), order);
};

export const slice: Translator = (t, { attrs, inputs, outputs }) => {
  const { start, size, step } = attrs as Record<"start" | "size", readonly number[]> & { step?: number[] };
  const x = inputs["x"]!;
  const order = t.orderOf(x);
  const stepOf = (axis: number): number => step?.[axis] ?? 1;
  const cut = sameOrder(x.shape.length).filter(
    (axis) => start[axis] !== 0 || size[axis] !== x.shape[axis] || stepOf(axis) !== 1,
  );
  if (cut.some((axis) => t.open(outputs["y"]!)[axis] === -1)) {
    throw new UsageError(`exportOnnx: slice takes a part of ${x} that grows with the batch.`);
  }
  const ends = cut.map((axis) => {
    const last = start[axis]! + (size[axis]! - 1) * stepOf(axis);
    // Read backwards to the very first element, the end lies before it; −1 would be the last element.
    return stepOf(axis) > 0 ? last + 1 : last > 0 ? last - 1 : -1 - x.shape[axis]!;
  });
  const lists = [cut.map((axis) => start[axis]!), ends, inFile(order, cut), cut.map(stepOf)];
  const read = t.read(x, order);
  const y = cut.length === 0 ? read : t.emit("Slice", [read, ...lists.map((list) => t.ints(list))]);
  t.write(outputs["y"]!, y, order);
};

export const pad: Translator = (t, { attrs, inputs, outputs }) => {
  const { before, after, value, step } = attrs as Record<"before" | "after", readonly number[]> & {
    value: number;
    step?: readonly number[];
  };
  if (step?.some((distance) => distance !== 1)) {
    throw new UsageError("exportOnnx: there is no translation of pad with a step to ONNX.");
  }
  const x = inputs["x"]!;
  const order = t.orderOf(x);
  const pads = [...order.map((axis) => before[axis]!), ...order.map((axis) => after[axis]!)];
  const read = t.read(x, order);
  const padded = pads.some((count) => count > 0);
  const y = padded ? t.emit("Pad", [read, t.ints(pads), t.scalar(value, onnxType(x))]) : read;
  t.write(outputs["y"]!, y, order);
};

export const broadcast: Translator = (t, { inputs, outputs }) => {
  const x = inputs["x"]!;
  const y = outputs["y"]!;
  const lead = y.shape.length - x.shape.length;
  const from = t.open(x);
  const shape = t.open(y).map((extent, axis) => {
    if (extent !== -1) return extent;
    if (axis >= lead && from[axis - lead] === -1) return 1; // the input's own extent stays
    throw new UsageError(
      `exportOnnx: broadcast repeats ${x} as often as the batch is large; leave broadcasting to +, × and other operations.`,
    );
  });
  const order = t.commonOrder([x], y.shape.length);
  const operand = t.readBroadcast(x, y.shape.length, order);
  t.write(y, t.emit("Expand", [operand, t.ints(order.map((axis) => shape[axis]!))]), order);
};

/** Types that runtimes reduce; others are cast before and back again. */
const reducible = (dtype: DType): "f32" | "i32" | "i64" =>
  dtype === "u32" ? "i64" : dtype === "bool" ? "i32" : (dtype as "f32" | "i32");

/** Reduced axes are kept with extent 1, as the kernels do. */
const reduction =
  (op: string): Translator =>
  (t, { attrs, inputs, outputs }) => {
    const { axes } = attrs as { axes: readonly number[] };
    const x = inputs["x"]!;
    const order = t.orderOf(x);
    const flags = { keepdims: 1, noop_with_empty_axes: 1 };
    const between = reducible(x.dtype);
    const cast = (value: string, from: string, to: Parameters<typeof elementType>[0]): string =>
      from === to ? value : t.emit("Cast", [value], { to: elementType(to) });
    const terms = cast(t.read(x, order), x.dtype, between);
    const y = t.emit(op, [terms, t.ints(inFile(order, axes))], flags);
    t.write(outputs["y"]!, cast(y, between, onnxType(outputs["y"]!)), order);
  };

export const sum = reduction("ReduceSum");
export const prod = reduction("ReduceProd");
export const max = reduction("ReduceMax");
export const min = reduction("ReduceMin");
/** Of bool as i32: they hold for no elements, too. */
export const any = sum;
export const all = prod;

const softmaxLike =
  (op: string): Translator =>
  (t, { attrs, inputs, outputs }) => {
    const x = inputs["x"]!;
    const order = t.orderOf(x);
    const axis = order.indexOf((attrs as { axis: number }).axis);
    t.write(outputs["y"]!, t.emit(op, [t.read(x, order)], { axis }), order);
  };

export const softmax = softmaxLike("Softmax");
export const logSoftmax = softmaxLike("LogSoftmax");

/** 1 − a·b / max(|a| |b|, ε) along the last axis. */
export const cosineDistance: Translator = (t, { attrs, inputs, outputs }) => {
  const { epsilon } = attrs as { epsilon: number };
  const { a, b } = inputs;
  const last = a!.shape.length - 1;
  const order = t.commonOrder([a!, b!], last + 1);
  const [left, right] = [t.read(a!, order), t.read(b!, order)];
  const along = t.ints([order.indexOf(last)]);
  const fold = (t: Translation, op: string, x: string): string => t.emit(op, [x, along], { keepdims: 0 });
  const product = fold(t, "ReduceSum", t.emit("Mul", [left, right]));
  const lengths = t.emit("Mul", [fold(t, "ReduceL2", left), fold(t, "ReduceL2", right)]);
  const similarity = t.emit("Div", [product, t.emit("Max", [lengths, t.scalar(epsilon, "f32")])]);
  const y = t.emit("Sub", [t.scalar(1, "f32"), similarity]);
  t.write(
    outputs["y"]!,
    y,
    order.filter((axis) => axis !== last),
  );
};
