/** Operations as methods of Tensor, so that formulas read from left to right. */
import type { DType, Shape, TensorData } from "@ddad/kernels-wgsl";
import { readData } from "./evaluate.ts";
import * as ops from "./ops/index.ts";
import { Tensor } from "./tensor.ts";

const unaryNames = [
  "neg",
  "abs",
  "sign",
  "floor",
  "round",
  "exp",
  "log",
  "sqrt",
  "rsqrt",
  "square",
  "reciprocal",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "silu",
  "relu",
  "erf",
  "gelu",
  "logicalNot",
  "finite",
] as const;
const binaryNames = [
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "maximum",
  "minimum",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "greater",
  "greaterEqual",
  "logicalAnd",
  "logicalOr",
] as const;

type UnaryMethods = Readonly<Record<(typeof unaryNames)[number], () => Tensor>>;
type BinaryMethods = Readonly<Record<(typeof binaryNames)[number], (other: ops.Operand) => Tensor>>;

interface OtherMethods {
  /**
   * The elements, row-major, on the host; evaluates if need be. A Float32Array for f32 and f16; for i32, and for u32 and
   * bool (0 and 1), say `data<Int32Array>()` and `data<Uint32Array>()`.
   */
  data<D extends TensorData = Float32Array<ArrayBuffer>>(): Promise<D>;
  /** The only element of a tensor that has one. */
  item(): Promise<number>;
  reshape(shape: Shape): Tensor;
  permute(order: readonly number[]): Tensor;
  cast(dtype: DType): Tensor;
  sum(axes?: number | readonly number[], options?: ops.ReduceOptions): Tensor;
  mean(axes?: number | readonly number[], options?: ops.ReduceOptions): Tensor;
  matmul(other: Tensor, options?: ops.MatmulOptions): Tensor;
}

declare module "./tensor.ts" {
  interface Tensor extends UnaryMethods, BinaryMethods, OtherMethods {}
}

const methods: OtherMethods & ThisType<Tensor> = {
  data<D extends TensorData>() {
    return readData(this) as Promise<D>;
  },
  async item() {
    if (this.size !== 1) throw new Error(`item: needs a tensor with one element, but this is ${this}.`);
    return (await readData(this))[0]!;
  },
  reshape(shape) {
    return ops.reshape(this, shape);
  },
  permute(order) {
    return ops.permute(this, order);
  },
  cast(dtype) {
    return ops.cast(this, dtype);
  },
  sum(axes, options) {
    return ops.sum(this, axes, options);
  },
  mean(axes, options) {
    return ops.mean(this, axes, options);
  },
  matmul(other, options) {
    return ops.matmul(this, other, options);
  },
};

const table: Readonly<
  Record<(typeof unaryNames)[number], (x: Tensor) => Tensor> &
    Record<(typeof binaryNames)[number], (a: ops.Operand, b: ops.Operand) => Tensor>
> = ops;

const elementwise = Object.fromEntries([
  ...unaryNames.map((name) => {
    const op = table[name];
    return [
      name,
      function (this: Tensor) {
        return op(this);
      },
    ];
  }),
  ...binaryNames.map((name) => {
    const op = table[name];
    return [
      name,
      function (this: Tensor, other: ops.Operand) {
        return op(this, other);
      },
    ];
  }),
]);

for (const [name, value] of Object.entries({ ...methods, ...elementwise })) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
