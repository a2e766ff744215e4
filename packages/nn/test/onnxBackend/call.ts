/** What an operator sees of its node. */
import type { AnyTensor, Shape, Tensor } from "@ddad/nn";
import { Outside } from "./outside.ts";
import type { ProtoNode, ProtoTensor } from "./proto.ts";
import type { Value } from "./values.ts";

/** Outputs in the order of the node's; one tensor where there is one. */
export type Result = AnyTensor | Value | readonly (AnyTensor | Value | undefined)[];

/** One of ONNX's operators in terms of the library. */
export type Operator = (call: Call) => Result | Promise<Result>;

/** Operators by ONNX's names. */
export type Operators = Readonly<Record<string, Operator>>;

/** A node with its inputs. */
export class Call {
  readonly node: ProtoNode;
  readonly opset: number;
  readonly values: readonly (Value | undefined)[];
  readonly #known: ReadonlyMap<string, Value>;

  /** `known` holds all values of the graph so far. */
  constructor(node: ProtoNode, opset: number, known: ReadonlyMap<string, Value>) {
    this.node = node;
    this.opset = opset;
    this.#known = known;
    this.values = node.inputs.map((name) => (name ? known.get(name) : undefined));
  }

  /** Any value of the graph. */
  named(name: string): Tensor {
    return this.#known.get(name)!.tensor;
  }

  /** The input at this place, which must be there. */
  x(place = 0): Tensor {
    return this.value(place).tensor;
  }

  /** The input at this place, or undefined where it is left out. */
  maybe(place: number): Tensor | undefined {
    return this.values[place]?.tensor;
  }

  /** An input of indices. */
  index(place: number): Tensor<"i32"> {
    return this.x(place) as AnyTensor as Tensor<"i32">;
  }

  /** An input of bits. */
  bits(place: number): Tensor<"u32"> {
    return this.x(place) as AnyTensor as Tensor<"u32">;
  }

  /** An input of truth values. */
  mask(place: number): Tensor<"bool"> {
    return this.x(place) as AnyTensor as Tensor<"bool">;
  }

  /** All inputs. */
  all(): Tensor[] {
    return this.values.map((_, place) => this.x(place));
  }

  value(place: number): Value {
    const value = this.values[place];
    if (!value) throw new Error(`${this.node.op}: input ${place} is missing.`);
    return value;
  }

  shape(place = 0): Shape {
    return this.value(place).shape;
  }

  get rank(): number {
    return this.shape().length;
  }

  /** An input that is a parameter (axes, sizes): its numbers, or undefined where it is left out. */
  async numbers(place: number): Promise<readonly number[] | undefined> {
    return this.values[place]?.numbers();
  }

  /** The only number of an input that is a parameter. */
  async number(place: number): Promise<number | undefined> {
    return (await this.numbers(place))?.[0];
  }

  int(name: string, otherwise: number): number {
    return this.node.attributes.get(name)?.int ?? otherwise;
  }

  float(name: string, otherwise: number): number {
    return this.node.attributes.get(name)?.float ?? otherwise;
  }

  text(name: string, otherwise: string): string {
    return this.node.attributes.get(name)?.text ?? otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    return this.node.attributes.get(name)?.ints;
  }

  floats(name: string): readonly number[] | undefined {
    return this.node.attributes.get(name)?.floats;
  }

  tensorAttribute(name: string): ProtoTensor | undefined {
    return this.node.attributes.get(name)?.tensor;
  }

  /** A list of integers that older operator sets give as an attribute and newer ones as an input. */
  async intsOrInput(name: string, place: number): Promise<readonly number[] | undefined> {
    return this.ints(name) ?? (await this.numbers(place));
  }

  /** Whether somebody wants the output at this place. */
  wants(place: number): boolean {
    return Boolean(this.node.outputs[place]);
  }

  /** An axis counted from the front. */
  axis(axis: number, rank = this.rank): number {
    return axis < 0 ? axis + rank : axis;
  }

  notExpressible(reason: string): never {
    throw new Outside("notExpressible", reason);
  }
}
