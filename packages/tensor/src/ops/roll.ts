import { type DType, type Float, ShapeError } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { concat } from "./concat.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

/**
 * Moves elements along axes, those that leave at one end come in at the other: element 0 goes to place `shift`. Without axes the
 * tensor is rolled as if it were flat.
 *
 * @throws ShapeError unless there is one whole number for each axis
 */
export function roll<D extends DType = Float>(
  x: Tensor<D>,
  shifts: number | readonly number[],
  axes?: number | readonly number[],
): Tensor<D> {
  const by = typeof shifts === "number" ? [shifts] : shifts;
  checkList("roll", "shifts", by);
  if (axes === undefined && by.length === 1) return reshape(roll(reshape(x, [x.size]), by, 0), x.shape);
  const along = typeof axes === "number" ? [axes] : (axes ?? []);
  if (by.length !== along.length || !by.every(Number.isInteger)) {
    throw new ShapeError(
      `roll: shifts [${by.join(", ")}] must be whole numbers, one for each of axes [${along.join(", ")}].`,
    );
  }
  return along.reduce<Tensor<D>>(
    (rolled, axis, k) => rollOne(rolled, by[k]!, normaliseAxis("roll", x, axis)),
    x,
  );
}

function rollOne<D extends DType>(x: Tensor<D>, by: number, axis: number): Tensor<D> {
  const extent = x.shape[axis]!;
  const shift = extent === 0 ? 0 : ((by % extent) + extent) % extent;
  if (shift === 0) return x;
  const at = (position: number): (number | undefined)[] => [
    ...new Array<undefined>(axis).fill(undefined),
    position,
  ];
  return concat([slice(x, at(extent - shift)), slice(x, [], at(extent - shift))], axis);
}
