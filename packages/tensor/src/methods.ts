/** Operations as methods of Tensor, so that formulas read from left to right. */
import type { DataOf, DType, Float, Shape } from "@ddad/kernels-wgsl";
import { readData } from "./evaluate.ts";
import * as ops from "./ops/index.ts";
import { type AnyTensor, Tensor } from "./tensor.ts";

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
] as const;
const testNames = ["logicalNot", "finite"] as const;
const binaryNames = [
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "maximum",
  "minimum",
  "logicalAnd",
  "logicalOr",
] as const;
const comparisonNames = ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"] as const;

/**
 * The elementwise operations, each as the function of its name says. Written as methods, not as properties: a tensor of a known type
 * then is a tensor of any type, too.
 */
interface ElementwiseMethods<D extends DType> {
  neg(): Tensor<D>;
  abs(): Tensor<D>;
  sign(): Tensor<D>;
  floor(): Tensor<D>;
  round(): Tensor<D>;
  exp(): Tensor<D>;
  log(): Tensor<D>;
  sqrt(): Tensor<D>;
  rsqrt(): Tensor<D>;
  square(): Tensor<D>;
  reciprocal(): Tensor<D>;
  sin(): Tensor<D>;
  cos(): Tensor<D>;
  tanh(): Tensor<D>;
  sigmoid(): Tensor<D>;
  silu(): Tensor<D>;
  relu(): Tensor<D>;
  erf(): Tensor<D>;
  gelu(): Tensor<D>;
  logicalNot(): Tensor<"bool">;
  finite(): Tensor<"bool">;
  add(other: ops.Operand<D>): Tensor<D>;
  sub(other: ops.Operand<D>): Tensor<D>;
  mul(other: ops.Operand<D>): Tensor<D>;
  div(other: ops.Operand<D>): Tensor<D>;
  pow(other: ops.Operand<D>): Tensor<D>;
  maximum(other: ops.Operand<D>): Tensor<D>;
  minimum(other: ops.Operand<D>): Tensor<D>;
  logicalAnd(other: ops.Operand<D>): Tensor<D>;
  logicalOr(other: ops.Operand<D>): Tensor<D>;
  equal(other: ops.Operand<D>): Tensor<"bool">;
  notEqual(other: ops.Operand<D>): Tensor<"bool">;
  less(other: ops.Operand<D>): Tensor<"bool">;
  lessEqual(other: ops.Operand<D>): Tensor<"bool">;
  greater(other: ops.Operand<D>): Tensor<"bool">;
  greaterEqual(other: ops.Operand<D>): Tensor<"bool">;
}

interface OtherMethods<D extends DType> {
  /** The elements, row-major, on the host; evaluates if need be. float32 for both float types, 0 and 1 for bool. */
  data(): Promise<DataOf<D>>;
  /** The only element of a tensor that has one. */
  item(): Promise<number>;
  reshape(shape: Shape): Tensor<D>;
  permute(order: readonly number[]): Tensor<D>;
  cast<T extends DType>(dtype: T): Tensor<ops.Kind<T>>;
  sum(axes?: number | readonly number[], options?: ops.ReduceOptions): Tensor<D>;
  mean(axes?: number | readonly number[], options?: ops.ReduceOptions): Tensor;
  matmul(other: Tensor, options?: ops.MatmulOptions): Tensor;
}

declare module "./tensor.ts" {
  interface Tensor<D extends DType = Float> extends ElementwiseMethods<D>, OtherMethods<D> {}
}

const methods: OtherMethods<Float> & ThisType<Tensor> = {
  data() {
    return readData(this) as Promise<DataOf<Float>>;
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

/** As methods: the operation on the tensor itself and, where there is one, on another operand. */
const elementwise = Object.fromEntries(
  [...unaryNames, ...testNames, ...binaryNames, ...comparisonNames].map((name) => {
    const op = ops[name] as (...operands: ops.Operand[]) => AnyTensor;
    return [
      name,
      function (this: Tensor, ...others: ops.Operand[]) {
        return op(this, ...others);
      },
    ];
  }),
);

for (const [name, value] of Object.entries({ ...methods, ...elementwise })) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
