/** Indexing as in NumPy and PyTorch: numbers, ranges, new axes and index tensors, axis after axis. */
import { type DType, type Float, isFloat, ShapeError, show, sizeOf } from "@ddad/kernels-wgsl";
import { checkTensor, describeArgument } from "../arguments.ts";
import { type AnyTensor, Tensor } from "../tensor.ts";
import { add, cast, greaterEqual, less, logicalOr, minimum, mul, where } from "./elementwise.ts";
import { gather, type IndexTensor } from "./gather.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";
import { type PerAxis, resolveRange, slice } from "./slice.ts";

/**
 * What is taken of one axis: an element (the axis is dropped), `[start, end, step]` as in `slice`, `":"` for all of it, an index tensor
 * (i32 or u32) for elements by their places. `null` adds an axis of 1, `"..."` stands for all axes that are not mentioned.
 */
export type IndexEntry = number | null | ":" | "..." | PerAxis | AnyTensor;

/**
 * Part of a tensor, one entry for each axis from the first on: `index(x, 0)` is `x[0]`, `index(x, "...", null, [1, -1])` is
 * `x[..., None, 1:-1]`, `index(x, ":", places)` is `x[:, places]`. Several index tensors are broadcast together and name an element
 * each; their axes stand in place of the first, or in front where other axes lie between them, as in PyTorch. Indices in
 * tensors count from the end where negative and give zeros outside.
 *
 * @throws ShapeError for numbers outside, too many entries, and masks
 */
export function index<D extends DType = Float>(x: Tensor<D>, ...entries: readonly IndexEntry[]): Tensor<D> {
  checkTensor("index", "x", x);
  const perAxis = spelledOut(x, entries);
  const start: (number | undefined)[] = [];
  const end: (number | undefined)[] = [];
  const step: (number | undefined)[] = [];
  const shape: number[] = [];
  const tensors: { readonly axis: number; readonly places: IndexTensor }[] = [];
  for (const entry of perAxis) {
    const axis = start.length;
    const extent = x.shape[axis]!;
    if (entry === null) {
      shape.push(1);
    } else if (typeof entry === "number") {
      const place = placeOf(x, axis, entry);
      start.push(place);
      end.push(place + 1);
      step.push(1);
    } else if (entry instanceof Tensor) {
      tensors.push({ axis: shape.length, places: checkPlaces(entry) });
      start.push(undefined);
      end.push(undefined);
      step.push(1);
      shape.push(extent);
    } else {
      if (entry !== ":" && !Array.isArray(entry)) {
        throw new ShapeError(
          `index: an entry is a number, null, [start, end, step], ":", "..." or a tensor of indices, but that of axis ${axis} is ${describeArgument(entry)}.`,
        );
      }
      const range = entry === ":" ? [] : (entry as PerAxis);
      start.push(range[0]);
      end.push(range[1]);
      step.push(range[2]);
      shape.push(resolveRange("index", extent, range).count);
    }
  }
  const part = reshape(slice(x, start, end, step), shape);
  const [only, ...others] = tensors;
  if (!only) return part;
  return others.length ? gatherTogether(part, tensors) : gather(part, only.places, only.axis);
}

/** The entries with those left out, behind or at the "...", written as ":". */
function spelledOut(x: AnyTensor, entries: readonly IndexEntry[]): readonly IndexEntry[] {
  const mentioned = entries.filter((entry) => entry !== null && entry !== "...").length;
  const left = x.shape.length - mentioned;
  if (left < 0) {
    throw new ShapeError(
      `index: ${mentioned} entries are too many for x ${show(x.shape)}, which has ${x.shape.length} axes.`,
    );
  }
  const at = entries.indexOf("...");
  if (at >= 0 && entries.indexOf("...", at + 1) >= 0)
    throw new ShapeError('index: "..." may stand once, but is there twice.');
  const whole = new Array<":">(left).fill(":");
  return at < 0 ? [...entries, ...whole] : [...entries.slice(0, at), ...whole, ...entries.slice(at + 1)];
}

function placeOf(x: AnyTensor, axis: number, entry: number): number {
  const extent = x.shape[axis]!;
  if (!Number.isInteger(entry) || entry < -extent || entry >= extent) {
    throw new ShapeError(
      `index: ${entry} is outside of axis ${axis} of x ${show(x.shape)}, which has ${extent} elements.`,
    );
  }
  return entry < 0 ? entry + extent : entry;
}

function checkPlaces(entry: AnyTensor): IndexTensor {
  if (entry.dtype === "bool") {
    throw new ShapeError(
      "index: the number of elements that a bool mask selects is known only after it ran; use where, or gather with indices from the host.",
    );
  }
  if (isFloat(entry.dtype))
    throw new ShapeError(`index: places must be i32 or u32 but are ${entry.dtype}; cast them first.`);
  return entry as IndexTensor;
}

/** Elements that several index tensors name together: the axes are merged, and one index into all of them is made. */
function gatherTogether<D extends DType>(
  x: Tensor<D>,
  tensors: readonly { readonly axis: number; readonly places: IndexTensor }[],
): Tensor<D> {
  const axes = tensors.map(({ axis }) => axis);
  const adjacent = axes.every((axis, k) => k === 0 || axis === axes[k - 1]! + 1);
  const front = adjacent ? axes[0]! : 0;
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const moved = permute(x, [...others.slice(0, front), ...axes, ...others.slice(front)]);
  const extents = axes.map((axis) => x.shape[axis]!);
  const merged = [...moved.shape.slice(0, front), sizeOf(extents), ...moved.shape.slice(front + axes.length)];
  let places: Tensor<"i32"> | undefined;
  let outside: Tensor<"bool"> | undefined;
  tensors.forEach(({ places: own }, k) => {
    const extent = extents[k]!;
    // The largest numbers of u32 lie outside, as they do where there is one index tensor.
    const signed: Tensor<"i32"> = cast(
      own.dtype === "u32" ? minimum(own as Tensor<"u32">, 2 ** 31 - 1) : own,
      "i32",
    );
    const place = where(less(signed, 0), add(signed, extent), signed);
    const beyond = logicalOr(less(place, 0), greaterEqual(place, extent));
    places = places ? add(mul(places, extent), place) : place;
    outside = outside ? logicalOr(outside, beyond) : beyond;
  });
  return gather(reshape(moved, merged), where(outside!, sizeOf(extents), places!), front);
}
