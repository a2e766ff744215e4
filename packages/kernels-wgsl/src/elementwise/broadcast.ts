/** NumPy's broadcasting, and the fewest loops that walk several broadcast operands together. */
import { ShapeError } from "../errors.ts";
import { type Shape, show, stridesOf } from "../spec.ts";

/** The shape that all shapes broadcast to. Throws ShapeError naming `op` where they do not fit. */
export function broadcastShapes(op: string, shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1;
    for (const shape of shapes) {
      const own = shape[shape.length - rank + axis] ?? 1;
      if (own === extent || own === 1) continue;
      if (extent !== 1) {
        throw new ShapeError(
          `${op}: shapes ${shapes.map(show).join(" and ")} do not broadcast: ` +
            `axis ${axis - rank} has ${extent} and ${own}, where equal extents or 1 are needed.`,
        );
      }
      extent = own;
    }
    return extent;
  });
}

/** One loop over an axis (or several merged ones): its extent and the step of each operand, 0 where it repeats. */
export interface BroadcastLoop {
  /** Number of turns. */
  readonly extent: number;
  /** Elements from one turn to the next, by operand. */
  readonly strides: readonly number[];
}

/** Loops, outermost first, over `output` for operands of these shapes. Axes that walk alike are merged. */
export function broadcastLoops(output: Shape, shapes: readonly Shape[]): BroadcastLoop[] {
  const all = shapes.map((shape) => {
    const strides = stridesOf(shape);
    const lead = output.length - shape.length;
    return output.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : strides[axis - lead]!));
  });
  const loops: BroadcastLoop[] = [];
  output.forEach((extent, axis) => {
    if (extent === 1) return;
    const strides = all.map((own) => own[axis]!);
    const last = loops.at(-1);
    if (last?.strides.every((outer, k) => outer === strides[k]! * extent)) {
      loops[loops.length - 1] = { extent: last.extent * extent, strides };
    } else loops.push({ extent, strides });
  });
  return loops;
}
