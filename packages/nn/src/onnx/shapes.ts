/** Finds the extents that grow with the batch by comparing recordings on batches of different sizes. */
import { type AnyTensor, type Shape, ShapeError, UsageError } from "@ddad/tensor";
import type { Step, Trace } from "./trace.ts";

/** Extents in place of shapes: −1 where an extent grows with the batch. */
export type OpenShape = readonly number[];

/** Attributes that may hold extents. */
const shapes: Readonly<Record<string, readonly string[]>> = { slice: ["size"], broadcast: ["shape"] };

/**
 * Compares recordings on batches of `batches` images: the shape of each tensor of the first one, with −1 for what grows with
 * the batch. Throws where something else depends on the batch.
 */
export function openShapes(
  [a, b]: readonly [Trace, Trace],
  batches: readonly [number, number],
): Map<AnyTensor, OpenShape> {
  const open = new Map<AnyTensor, OpenShape>();
  const compare = (what: string, left: AnyTensor, right: AnyTensor): void => {
    open.set(left, openShape(what, left.shape, right.shape, batches));
  };
  const differs = (what: string): never => {
    throw new UsageError(
      `exportOnnx: ${what} depends on the size of the batch (${batches.join(" and ")} were tried), which a file leaves open.`,
    );
  };
  if (a.steps.length !== b.steps.length) differs("the number of operations");
  for (const name of Object.keys(a.inputs)) compare(`input ${name}`, a.inputs[name]!, b.inputs[name]!);
  const constants = new Set(a.constants);
  for (const [index, step] of a.steps.entries()) {
    const other = b.steps[index]!;
    const what = `${step.op} in ${step.scope || "forward"}`;
    if (step.op !== other.op || fixed(step) !== fixed(other)) differs(what);
    for (const [name, tensor] of Object.entries(step.inputs)) {
      if (!constants.has(tensor)) continue;
      if (tensor.shape.join() !== other.inputs[name]?.shape.join()) differs(`a constant of ${what}`);
      open.set(tensor, tensor.shape);
    }
    for (const name of Object.keys(step.outputs)) compare(what, step.outputs[name]!, other.outputs[name]!);
  }
  return open;
}

/** Properties that must be the same for all batches. */
function fixed({ op, attrs }: Step): string {
  const may = shapes[op] ?? [];
  return JSON.stringify(attrs, (key, value) => (may.includes(key) ? undefined : value));
}

function openShape(what: string, a: Shape, b: Shape, batches: readonly [number, number]): OpenShape {
  const extents = a.map((extent, axis) => {
    if (extent === b[axis]) return extent;
    if (extent * batches[1] === b[axis]! * batches[0]) return -1;
    throw new ShapeError(
      `exportOnnx: ${what} gives [${a.join(", ")}] for a batch of ${batches[0]} but [${b.join(", ")}] for ${batches[1]}; ` +
        "extents must be fixed or multiples of the batch.",
    );
  });
  return extents;
}
