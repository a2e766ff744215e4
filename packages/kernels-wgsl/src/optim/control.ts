/**
 * Common parts of the optimisers' kernels. Numbers that change from step to step come in a small tensor `control`, so that no
 * shader is compiled again for them, and parameters are walked in fours where their size allows.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import type { Capabilities, Pass } from "../kernel.ts";
import { sameShape, show, sizeOf, type TensorSpec } from "../spec.ts";

/** Throws unless all tensors are f32 of the parameter's shape, and control is f32 [length]. */
export function checkState(
  op: string,
  tensors: Readonly<Record<string, TensorSpec>>,
  control: TensorSpec,
  length: number,
): void {
  const [[parameter, { shape }]] = Object.entries(tensors) as [[string, TensorSpec]];
  for (const [name, tensor] of Object.entries({ ...tensors, control }))
    check(tensor.dtype === "f32", op, () => `${name} must be f32 but is ${tensor.dtype}; cast it first.`);
  for (const [name, tensor] of Object.entries(tensors))
    check(
      sameShape(tensor.shape, shape),
      op,
      () => `${name} ${show(tensor.shape)} must have the shape of ${parameter} ${show(shape)}.`,
    );
  check(
    sameShape(control.shape, [length]),
    op,
    () => `control must be [${length}] but is ${show(control.shape)}.`,
  );
}

/**
 * Runs `body` for the index `i` of each element, or of each four. The uniform struct has the number of elements, `size`;
 * `control0` and `control1` are the control's numbers in fours.
 * The tensors in `write` are bound by the outputs' names and hold the old values at the start.
 */
export function statePass(
  caps: Capabilities,
  { parameter, control }: Readonly<Record<"parameter" | "control", TensorSpec>>,
  read: readonly string[],
  write: readonly string[],
  body: string,
): Pass {
  const size = sizeOf(parameter.shape);
  const controls = sizeOf(control.shape);
  const width = size % 4 === 0 ? 4 : 1;
  const element = width === 4 ? "vec4<f32>" : "f32";
  const bind = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, element]));
  return {
    read: { ...bind(read), control: "vec4<f32>" },
    write: bind(write),
    ...gridStride(
      caps,
      size / width,
      `params.size / ${width}u`,
      body,
      Array.from({ length: controls / 4 }, (_, four) => `  let control${four} = control[${four}];`).join(
        "\n",
      ),
    ),
  };
}
