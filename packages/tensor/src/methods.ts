/** Operations as methods of Tensor, so that formulas read from left to right. */
import { type DataOf, type DType, type Float, ShapeError } from "@ddad/kernels-wgsl";
import { readData } from "./evaluate.ts";
import type { MovementMethods } from "./methods/movement.ts";
import type { ReductionMethods } from "./methods/reductions.ts";
import * as ops from "./ops/index.ts";
import { Tensor } from "./tensor.ts";
import { type Element, type Nested, nest } from "./values.ts";

/**
 * The elementwise operations, each as the function of its name says. Written as methods, not as properties: a tensor of a known type
 * then is a tensor of any type, too.
 */
interface ElementwiseMethods<D extends DType> {
  neg(): Tensor<D>;
  abs(): Tensor<D>;
  sign(): Tensor<D>;
  floor(): Tensor<D>;
  ceil(): Tensor<D>;
  round(): Tensor<D>;
  trunc(): Tensor<D>;
  exp(): Tensor<D>;
  exp2(): Tensor<D>;
  expm1(): Tensor<D>;
  log(): Tensor<D>;
  log2(): Tensor<D>;
  log1p(): Tensor<D>;
  sqrt(): Tensor<D>;
  rsqrt(): Tensor<D>;
  square(): Tensor<D>;
  reciprocal(): Tensor<D>;
  sin(): Tensor<D>;
  cos(): Tensor<D>;
  tan(): Tensor<D>;
  asin(): Tensor<D>;
  acos(): Tensor<D>;
  atan(): Tensor<D>;
  sinh(): Tensor<D>;
  cosh(): Tensor<D>;
  tanh(): Tensor<D>;
  asinh(): Tensor<D>;
  acosh(): Tensor<D>;
  atanh(): Tensor<D>;
  sigmoid(): Tensor<D>;
  softplus(): Tensor<D>;
  silu(): Tensor<D>;
  relu(): Tensor<D>;
  erf(): Tensor<D>;
  selu(): Tensor<D>;
  hardSigmoid(): Tensor<D>;
  hardSwish(): Tensor<D>;
  mish(): Tensor<D>;
  bitwiseNot(): Tensor<D>;
  gelu(options?: ops.GeluOptions): Tensor<D>;
  elu(alpha?: number): Tensor<D>;
  celu(alpha?: number): Tensor<D>;
  leakyRelu(slope?: number): Tensor<D>;
  clamp(min?: number, max?: number): Tensor<D>;
  isNaN(): Tensor<"bool">;
  isFinite(): Tensor<"bool">;
  isInf(): Tensor<"bool">;
  add(other: ops.Operand<D>): Tensor<D>;
  sub(other: ops.Operand<D>): Tensor<D>;
  mul(other: ops.Operand<D>): Tensor<D>;
  div(other: ops.Operand<D>): Tensor<D>;
  mod(other: ops.Operand<D>): Tensor<D>;
  fmod(other: ops.Operand<D>): Tensor<D>;
  pow(other: ops.Operand<D>): Tensor<D>;
  atan2(other: ops.Operand<D>): Tensor<D>;
  maximum(other: ops.Operand<D>): Tensor<D>;
  minimum(other: ops.Operand<D>): Tensor<D>;
  bitwiseAnd(other: ops.Operand<D>): Tensor<D>;
  bitwiseOr(other: ops.Operand<D>): Tensor<D>;
  bitwiseXor(other: ops.Operand<D>): Tensor<D>;
  shiftLeft(other: ops.Operand<D>): Tensor<D>;
  shiftRight(other: ops.Operand<D>): Tensor<D>;
  equal(other: ops.Operand<D>): Tensor<"bool">;
  notEqual(other: ops.Operand<D>): Tensor<"bool">;
  less(other: ops.Operand<D>): Tensor<"bool">;
  lessEqual(other: ops.Operand<D>): Tensor<"bool">;
  greater(other: ops.Operand<D>): Tensor<"bool">;
  greaterEqual(other: ops.Operand<D>): Tensor<"bool">;
  logicalAnd(this: Tensor<"bool">, other: Tensor<"bool">): Tensor<"bool">;
  logicalOr(this: Tensor<"bool">, other: Tensor<"bool">): Tensor<"bool">;
  logicalXor(this: Tensor<"bool">, other: Tensor<"bool">): Tensor<"bool">;
  logicalNot(this: Tensor<"bool">): Tensor<"bool">;
}

interface OtherMethods<D extends DType> {
  /** The elements, row-major, on the host; evaluates if need be. float32 for both float types, 0 and 1 for bool. */
  data(): Promise<DataOf<D>>;
  /** The only element of a tensor that has one. */
  item(): Promise<number>;
  /** The elements as nested arrays, as `tensor` takes them: booleans of bool, else numbers; just the element of a scalar. */
  toArray(): Promise<Element | Nested>;
  cast<T extends DType>(dtype: T): Tensor<ops.Kind<T>>;
  /** The same elements as a constant: no gradient passes through. */
  detach(): Tensor<D>;
  matmul(other: Tensor, options?: ops.MatmulOptions): Tensor;
}

// Disposable by the class itself; TypeScript 7 forgets that where it compiles this augmentation from its source.
declare module "./tensor.ts" {
  interface Tensor<D extends DType = Float>
    extends ElementwiseMethods<D>,
      MovementMethods<D>,
      ReductionMethods<D>,
      OtherMethods<D>,
      Disposable {}
}

const methods: Pick<OtherMethods<Float>, "data" | "item" | "toArray"> & ThisType<Tensor> = {
  data() {
    return readData(this) as Promise<DataOf<Float>>;
  },
  async item() {
    if (this.size !== 1) throw new ShapeError(`item: needs a tensor with one element, but this is ${this}.`);
    return (await readData(this))[0]!;
  },
  async toArray() {
    return nest(await readData(this), this);
  },
};

/**
 * The operations that are methods, too: each takes the tensor first. They are named one by one, because an index into the whole
 * namespace would keep every operation and its kernels in every bundle.
 */
const operations: Readonly<
  Record<
    Exclude<
      keyof (ElementwiseMethods<Float> &
        MovementMethods<Float> &
        ReductionMethods<Float> &
        OtherMethods<Float>),
      keyof typeof methods
    >,
    unknown
  >
> = {
  neg: ops.neg,
  abs: ops.abs,
  sign: ops.sign,
  floor: ops.floor,
  ceil: ops.ceil,
  round: ops.round,
  trunc: ops.trunc,
  exp: ops.exp,
  exp2: ops.exp2,
  expm1: ops.expm1,
  log: ops.log,
  log2: ops.log2,
  log1p: ops.log1p,
  sqrt: ops.sqrt,
  rsqrt: ops.rsqrt,
  square: ops.square,
  reciprocal: ops.reciprocal,
  sin: ops.sin,
  cos: ops.cos,
  tan: ops.tan,
  asin: ops.asin,
  acos: ops.acos,
  atan: ops.atan,
  sinh: ops.sinh,
  cosh: ops.cosh,
  tanh: ops.tanh,
  asinh: ops.asinh,
  acosh: ops.acosh,
  atanh: ops.atanh,
  sigmoid: ops.sigmoid,
  softplus: ops.softplus,
  silu: ops.silu,
  relu: ops.relu,
  erf: ops.erf,
  selu: ops.selu,
  hardSigmoid: ops.hardSigmoid,
  hardSwish: ops.hardSwish,
  mish: ops.mish,
  bitwiseNot: ops.bitwiseNot,
  gelu: ops.gelu,
  elu: ops.elu,
  celu: ops.celu,
  leakyRelu: ops.leakyRelu,
  clamp: ops.clamp,
  isNaN: ops.isNaN,
  isFinite: ops.isFinite,
  isInf: ops.isInf,
  add: ops.add,
  sub: ops.sub,
  mul: ops.mul,
  div: ops.div,
  mod: ops.mod,
  fmod: ops.fmod,
  pow: ops.pow,
  atan2: ops.atan2,
  maximum: ops.maximum,
  minimum: ops.minimum,
  bitwiseAnd: ops.bitwiseAnd,
  bitwiseOr: ops.bitwiseOr,
  bitwiseXor: ops.bitwiseXor,
  shiftLeft: ops.shiftLeft,
  shiftRight: ops.shiftRight,
  equal: ops.equal,
  notEqual: ops.notEqual,
  less: ops.less,
  lessEqual: ops.lessEqual,
  greater: ops.greater,
  greaterEqual: ops.greaterEqual,
  logicalAnd: ops.logicalAnd,
  logicalOr: ops.logicalOr,
  logicalXor: ops.logicalXor,
  logicalNot: ops.logicalNot,
  reshape: ops.reshape,
  flatten: ops.flatten,
  squeeze: ops.squeeze,
  unsqueeze: ops.unsqueeze,
  permute: ops.permute,
  transpose: ops.transpose,
  broadcastTo: ops.broadcastTo,
  split: ops.split,
  chunk: ops.chunk,
  tile: ops.tile,
  repeat: ops.repeat,
  flip: ops.flip,
  roll: ops.roll,
  slice: ops.slice,
  index: ops.index,
  pad: ops.pad,
  gather: ops.gather,
  takeAlong: ops.takeAlong,
  scatter: ops.scatter,
  oneHot: ops.oneHot,
  triu: ops.triu,
  tril: ops.tril,
  diagonal: ops.diagonal,
  cast: ops.cast,
  detach: ops.detach,
  sum: ops.sum,
  prod: ops.prod,
  mean: ops.mean,
  max: ops.max,
  min: ops.min,
  any: ops.any,
  all: ops.all,
  var: ops.variance,
  std: ops.std,
  norm: ops.norm,
  logSumExp: ops.logSumExp,
  softmax: ops.softmax,
  logSoftmax: ops.logSoftmax,
  cumsum: ops.cumsum,
  cumprod: ops.cumprod,
  argmax: ops.argmax,
  argmin: ops.argmin,
  sort: ops.sort,
  argsort: ops.argsort,
  topK: ops.topK,
  matmul: ops.matmul,
};

const fromOperations = Object.entries(operations).map(([name, operation]) => {
  const op = operation as (x: Tensor, ...rest: readonly unknown[]) => unknown;
  return [
    name,
    function (this: Tensor, ...rest: readonly unknown[]) {
      return op(this, ...rest);
    },
  ] as const;
});

for (const [name, value] of [...Object.entries(methods), ...fromOperations]) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
