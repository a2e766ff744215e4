import { type DType, type Float, cumprod as kernel } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import type { CumulativeOptions } from "./cumsum.ts";
import { cast, mul } from "./elementwise.ts";
import { recurrence } from "./recurrence.ts";
import type { Summed } from "./sum.ts";

/**
 * Running product along `axis` (default the last): element i of the result, which has x's shape and type (i32 for bool), is x₀ · … · xᵢ.
 * Its gradient is right where elements are zero, too.
 *
 * @throws ShapeError where x has no such axis
 */
export function cumprod<D extends DType = Float>(
  x: Tensor<D>,
  axis = -1,
  options: CumulativeOptions = {},
): Tensor<Summed<D>> {
  const { reverse = false, exclusive = false } = checkOptions("cumprod", options, ["reverse", "exclusive"]);
  const along = normaliseAxis("cumprod", x, axis);
  const values = x.dtype === "bool" ? cast(x, "i32") : x;
  const {
    y,
  }: Record<"y", Tensor<Summed<D>>> = record(
    kernel,
    { x: values },
    { axis: along, reverse, exclusive },
    {
      // ∂yₖ/∂xᵢ is the product of what is in front of xᵢ and of what lies between it and yₖ: no division, so zeros do no harm.
      x({ y: gradient }) {
        const wide = cast(x, "f32");
        const kind = exclusive ? "before" : "delayed";
        const behind = recurrence(cast(gradient, "f32"), wide, { axis: along, kind, reverse: !reverse });
        return cast(mul(cumprod(wide, along, { reverse, exclusive: true }), behind), x.dtype as Float);
      },
    },
  );
  return y;
}
