import { recurrence as kernel, type RecurrenceAttrs } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./elementwise.ts";

/** tₛ = xₛ + wₛ · tₛ₋₁ along an axis; `kind` says which value an element gets. x and weight are f32 and of one shape. */
export function recurrence(x: Tensor, weight: Tensor, attrs: RecurrenceAttrs): Tensor {
  const { axis, kind, reverse } = attrs;
  const back = (g: Tensor, of: RecurrenceAttrs["kind"]): Tensor =>
    recurrence(g, weight, { axis, kind: of, reverse: !reverse });
  const gradients = {
    own: {
      x: ({ y: g }: Record<"y", Tensor>): Tensor => back(g, "delayed"),
      weight: ({ y: g }: Record<"y", Tensor>): Tensor =>
        mul(back(g, "delayed"), recurrence(x, weight, { axis, kind: "before", reverse })),
    },
    before: {
      x: ({ y: g }: Record<"y", Tensor>): Tensor => back(g, "before"),
      weight: ({ y: g }: Record<"y", Tensor>): Tensor => mul(back(g, "before"), out.y),
    },
    delayed: {
      x: ({ y: g }: Record<"y", Tensor>): Tensor => back(g, "own"),
      weight: ({ y: g }: Record<"y", Tensor>): Tensor => mul(back(g, "before"), out.y),
    },
  };
  const out: Record<"y", Tensor> = record(kernel, { x, weight }, attrs, gradients[kind]);
  return out.y;
}
