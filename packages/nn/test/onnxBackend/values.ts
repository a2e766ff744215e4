/** Values that flow through a graph: tensors of the library, or numbers on the host until somebody wants a tensor. */
import { type AnyTensor, currentDevice, type DType, type Shape, type Tensor } from "@ddad/nn";
import { nn } from "./counted.ts";
import { Outside } from "./outside.ts";
import type { ElementType, ProtoTensor } from "./proto.ts";

/** The library's type for one of ONNX's: f64 is computed in f32, small and 64-bit integers in 32 bits. */
export function dtypeOf(type: ElementType): DType {
  switch (type) {
    case "float":
    case "double":
      return "f32";
    case "float16":
      // Where the adapter has none, f32 is as good: the numbers are the same within the tolerance.
      return currentDevice().capabilities.f16 ? "f16" : "f32";
    case "int8":
    case "int16":
    case "int32":
    case "int64":
      return "i32";
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return "u32";
    case "bool":
      return "bool";
    case "string":
      throw new Outside("notApplicable", "strings");
    case "bfloat16":
    case "complex64":
    case "complex128":
      throw new Outside("notApplicable", `${type} elements`);
  }
}

/** A tensor, and where it is known before anything ran, its numbers. */
export class Value {
  readonly shape: Shape;
  readonly dtype: DType;
  #tensor: Tensor | undefined;
  readonly #numbers: readonly number[] | undefined;

  private constructor(
    shape: Shape,
    dtype: DType,
    tensor: Tensor | undefined,
    numbers: readonly number[] | undefined,
  ) {
    this.shape = shape;
    this.dtype = dtype;
    this.#tensor = tensor;
    this.#numbers = numbers;
  }

  static of(tensor: AnyTensor): Value {
    return new Value(tensor.shape, tensor.dtype, tensor as Tensor, undefined);
  }

  static constant({ type, shape, values }: Pick<ProtoTensor, "type" | "shape" | "values">): Value {
    return new Value(shape, dtypeOf(type), undefined, values);
  }

  get tensor(): Tensor {
    // The compiler takes all for floats: which types meet is the model's business, and checked when it runs.
    this.#tensor ??= nn.tensor(this.#numbers!, this.shape, { dtype: this.dtype }) as AnyTensor as Tensor;
    return this.#tensor;
  }

  /** The elements on the host. What was computed is evaluated, and so has no gradient any more. */
  async numbers(): Promise<readonly number[]> {
    return this.#numbers ?? Array.from(await this.tensor.data());
  }
}
