import { type DType, type Float, isFloat, elementwise as kernel } from "@ddad/kernels-wgsl";
import { checkDType, checkTensor } from "../arguments.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";

/** How the compiler knows a type: both float types are one to it. */
export type Kind<D extends DType> = D extends Float ? Float : D;

const casts = { f32: "toF32", f16: "toF16", i32: "toI32", u32: "toU32", bool: "toBool" } as const;

/** The same numbers under another type. Floats are cut to integers towards zero; bool is "not zero". */
export const cast = <D extends DType>(x: AnyTensor, dtype: D): Tensor<Kind<D>> => {
  checkTensor("cast", "x", x);
  if (x.dtype === dtype) return x as Tensor<Kind<D>>;
  checkDType("cast", dtype);
  const { dtype: from } = x;
  const {
    y,
  }: Record<"y", Tensor<Kind<D>>> = record(
    kernel,
    { in0: x },
    { expression: { inputs: 1, constants: [], steps: [{ op: casts[dtype], args: ["in0"] }] } },
    isFloat(from) && isFloat(dtype) ? { in0: ({ y: g }) => cast(g, from) } : {},
  );
  return y;
};
