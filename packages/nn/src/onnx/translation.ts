/** The graph of a file under construction: nodes, constants, and the file's value for each tensor. */
import { type AnyTensor, type TensorData, UsageError } from "@ddad/tensor";
import type { OnnxAttribute, OnnxInitializer, OnnxNode, OnnxType } from "./model.ts";
import type { OpenShape } from "./shapes.ts";
import { transpose } from "./transpose.ts";

/** Axis k of a value in the file is axis `order[k]` of the tensor: [0, 3, 1, 2] are images in NCHW. */
export type AxisOrder = readonly number[];

/** Where this library has channels last, ONNX has them behind the batch. */
export const channelsSecond = (rank: number): AxisOrder =>
  rank < 3 ? sameOrder(rank) : [0, rank - 1, ...sameOrder(rank - 1).slice(1)];

/** How inputs and outputs are laid out: images in NCHW, everything else as here. */
export const fileOrder = (rank: number): AxisOrder => (rank === 4 ? channelsSecond(rank) : sameOrder(rank));

export const sameOrder = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);

export interface Constant {
  readonly name: string | undefined;
  readonly data: TensorData;
}

/**
 * Images flow through the file as NCHW, through this library as NHWC. So each tensor has a value in the file and the order
 * of its axes there; whoever reads it says which order it needs, and a `Transpose` is written only where they differ.
 */
export class Translation {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxInitializer>();
  /** Module whose nodes are being made. */
  scope = "";
  readonly #open: ReadonlyMap<AnyTensor, OpenShape>;
  readonly #constants: ReadonlyMap<AnyTensor, Constant>;
  /** The value of each tensor, first in the order in which it was written, then in those it was read in. */
  readonly #values = new Map<AnyTensor, { order: AxisOrder; name: string }[]>();
  /** Reshaped tensors and what they were before. A node is written only when somebody reads them. */
  readonly #views = new Map<AnyTensor, AnyTensor>();
  readonly #taken = new Set<string>();
  /** Names of constants made of a tensor, by the order and the extents that they have in the file. */
  readonly #weights = new Map<AnyTensor, Map<string, string>>();
  /** Names of small constants by their elements. */
  readonly #small = new Map<string, string>();

  constructor(open: ReadonlyMap<AnyTensor, OpenShape>, constants: ReadonlyMap<AnyTensor, Constant>) {
    this.#open = open;
    this.#constants = constants;
  }

  /** Extents of a tensor, −1 where one grows with the batch. */
  open(tensor: AnyTensor): OpenShape {
    return this.#open.get(tensor)!;
  }

  isConstant(tensor: AnyTensor): boolean {
    return this.#constants.has(tensor);
  }

  /** Takes a name that nothing else has. */
  name(wanted: string): string {
    let name = wanted;
    for (let count = 1; this.#taken.has(name); count++) name = `${wanted}_${count}`;
    this.#taken.add(name);
    return name;
  }

  /** Adds a node with one output; returns the output's name. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    const name = this.name(this.scope === "" ? op : `${this.scope}/${op}`);
    const output = this.name(`${name}_output`);
    this.nodes.push({ name, op, inputs, outputs: [output], attributes });
    return output;
  }

  /** `name` is the value of `tensor`, its axes in this order. */
  write(tensor: AnyTensor, name: string, order: AxisOrder = sameOrder(tensor.shape.length)): void {
    this.#values.set(tensor, [{ order, name }]);
  }

  /** `tensor` has the elements of `of` under another shape. */
  writeView(tensor: AnyTensor, of: AnyTensor): void {
    this.#views.set(tensor, this.#views.get(of) ?? of);
  }

  /** The order in which a tensor was written. */
  orderOf(tensor: AnyTensor): AxisOrder {
    return this.#values.get(tensor)?.[0]?.order ?? sameOrder(tensor.shape.length);
  }

  /** Name of the value of `tensor` with its axes in this order. */
  read(tensor: AnyTensor, order: AxisOrder = sameOrder(tensor.shape.length)): string {
    if (this.isConstant(tensor)) return this.#constant(tensor, tensor.shape, order);
    const known = this.#values.get(tensor)?.find((value) => value.order.join() === order.join());
    if (known) return known.name;
    const name = this.#reshape(tensor, order) ?? this.#transpose(tensor, order);
    this.#values.set(tensor, [...(this.#values.get(tensor) ?? []), { order, name }]);
    return name;
  }

  /** A view, where at most axes of extent 1 change their places: that is but another shape. */
  #reshape(tensor: AnyTensor, order: AxisOrder): string | undefined {
    const source = this.#views.get(tensor);
    const long = order.filter((axis) => tensor.shape[axis] !== 1);
    if (!source || long.some((axis, k) => k > 0 && axis < long[k - 1]!)) return undefined;
    const from = this.open(source);
    const to = order.map((axis) => this.open(tensor)[axis]!);
    if (to.join() === from.join()) return this.read(source);
    // 0 takes over the extent of the input's axis, so that more than one extent may stay open.
    const shape = to.map((extent, k) =>
      extent === -1 && from[k] === -1 && source.shape[k] === tensor.shape[order[k]!] ? 0 : extent,
    );
    if (shape.filter((extent) => extent === -1).length > 1) {
      throw new UsageError(
        `exportOnnx: ${tensor} is reshaped to more than one extent that grows with the batch.`,
      );
    }
    return this.emit("Reshape", [this.read(source), this.ints(shape)]);
  }

  #transpose(tensor: AnyTensor, order: AxisOrder): string {
    const written = this.orderOf(tensor);
    if (!this.#values.has(tensor) && !this.#views.has(tensor)) {
      throw new UsageError(`exportOnnx: ${tensor} is a second result that has no translation to ONNX.`);
    }
    return this.emit("Transpose", [this.read(tensor, written)], {
      perm: order.map((axis) => written.indexOf(axis)),
    });
  }

  /** As an operand among tensors of `rank` axes in this order: axes of extent 1 are put in front, as broadcasting does. */
  readBroadcast(tensor: AnyTensor, rank: number, order: AxisOrder): string {
    const missing = rank - tensor.shape.length;
    if (missing === 0 && !this.isConstant(tensor)) return this.read(tensor, order);
    const ones = Array.from({ length: missing }, () => 1);
    if (this.isConstant(tensor)) return this.#constant(tensor, [...ones, ...tensor.shape], order, true);
    const padded = this.emit("Reshape", [this.read(tensor), this.ints([...ones, ...this.open(tensor)])]);
    const perm = [...order];
    return perm.join() === sameOrder(rank).join() ? padded : this.emit("Transpose", [padded], { perm });
  }

  /** The order that operands of `rank` axes are brought into: that of the first one which has its axes moved. */
  commonOrder(tensors: readonly AnyTensor[], rank: number): AxisOrder {
    const same = sameOrder(rank);
    const orders = tensors.filter(({ shape }) => shape.length === rank).map((tensor) => this.orderOf(tensor));
    return orders.find((order) => order.join() !== same.join()) ?? same;
  }

  /** A list of i64: a shape, axes. */
  ints(values: readonly number[]): string {
    return this.#shared("i64", [values.length], values);
  }

  /** A list of f32. */
  floats(values: ArrayLike<number>): string {
    return this.#shared("f32", [values.length], values);
  }

  /** One number that broadcasts against everything. */
  scalar(value: number, type: OnnxType): string {
    return this.#shared(type, [], [value]);
  }

  #constant(tensor: AnyTensor, shape: readonly number[], order: AxisOrder, trim = false): string {
    const moved = order.map((axis) => shape[axis]!);
    const lead = trim ? moved.findIndex((extent) => extent !== 1) : 0;
    const final = lead < 0 ? [] : moved.slice(lead);
    const known = this.#weights.get(tensor) ?? new Map<string, string>();
    this.#weights.set(tensor, known);
    const key = `${order.join()} ${final.join()}`;
    const { name, data } = this.#constants.get(tensor)!;
    const type = onnxType(tensor);
    const made = known.get(key) ?? this.#add(name, type, final, arrayOf(type, transpose(data, shape, order)));
    known.set(key, made);
    return made;
  }

  /** A small constant: the same elements are the same constant. */
  #shared(type: OnnxType, shape: readonly number[], values: ArrayLike<number>): string {
    const key = `${type} ${shape.join()} ${Array.from(values).join()}`;
    const name = this.#small.get(key) ?? this.#add(undefined, type, shape, arrayOf(type, values));
    this.#small.set(key, name);
    return name;
  }

  #add(
    wanted: string | undefined,
    type: OnnxType,
    shape: readonly number[],
    values: ArrayBufferView<ArrayBuffer>,
  ): string {
    const name = this.name(wanted ?? "constant");
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.set(name, { name, type, shape, bytes });
    return name;
  }
}

/** The type of a tensor in the file. */
export function onnxType({ dtype }: Pick<AnyTensor, "dtype">): OnnxType {
  if (dtype !== "f16") return dtype;
  throw new UsageError("exportOnnx: the module works in f16, but files are written in f32; cast it to f32.");
}

function arrayOf(type: OnnxType, values: ArrayLike<number>): ArrayBufferView<ArrayBuffer> {
  if (type === "f32")
    return values instanceof Float32Array ? new Float32Array(values) : Float32Array.from(values);
  if (type === "i32") return Int32Array.from(values);
  if (type === "u32") return Uint32Array.from(values);
  if (type === "bool") return Uint8Array.from(values);
  return BigInt64Array.from(Array.from(values), BigInt);
}
