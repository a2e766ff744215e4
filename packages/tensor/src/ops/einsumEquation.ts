/** The equation of `einsum`: which label each axis of the operands and of the result has. */
import { ShapeError, type TensorSpec } from "@ddad/kernels-wgsl";

/** Labels are letters, and for the axes of `...` a dot and the distance from their end, as they are aligned. */
export interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/** Throws ShapeError where the equation is malformed or names other axes than the operands have. */
export function parseEquation(equation: string, operands: readonly Pick<TensorSpec, "shape">[]): Equation {
  const [left = "", right, ...more] = equation.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  const malformed = [...terms, right ?? ""].some((term) => !/^[a-zA-Z]*(\.\.\.)?[a-zA-Z]*$/.test(term));
  if (malformed || more.length) {
    throw new ShapeError(
      `einsum: "${equation}" must be made of letters, commas between operands, at most one "..." a term, and one "->".`,
    );
  }
  if (terms.length !== operands.length) {
    throw new ShapeError(
      `einsum: "${equation}" has ${terms.length} operands but ${operands.length} ${operands.length === 1 ? "is" : "are"} given.`,
    );
  }
  const inputs = terms.map((term, k) => labelsOf(term, operands[k]!.shape, k));
  const dots = [...new Set(inputs.flat().filter((label) => label.startsWith(".")))];
  // The axis furthest from the end comes first.
  dots.sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)));
  if (right === undefined) return { inputs, output: [...dots, ...lettersOnce(inputs)] };
  const output = expand(right, dots);
  output.forEach((label, axis) => {
    if (output.indexOf(label) !== axis)
      throw new ShapeError(`einsum: the result of "${equation}" has "${label}" twice.`);
    if (!inputs.some((labels) => labels.includes(label)))
      throw new ShapeError(`einsum: the result of "${equation}" has "${label}", which no operand has.`);
  });
  return { inputs, output };
}

/** Letters, with `dots` in place of the "...". */
function expand(term: string, dots: readonly string[]): string[] {
  const [front = "", back] = term.split("...");
  return back === undefined ? [...front] : [...front, ...dots, ...back];
}

function labelsOf(term: string, shape: readonly number[], k: number): string[] {
  const letters = term.replace("...", "").length;
  const open = term.includes("...");
  if (letters > shape.length || (!open && letters < shape.length)) {
    throw new ShapeError(
      `einsum: "${term}" names ${letters}${open ? " or more" : ""} axes, but operand ${k} is [${shape.join(", ")}].`,
    );
  }
  const count = shape.length - letters;
  return expand(
    term,
    Array.from({ length: count }, (_, axis) => `.${count - axis}`),
  );
}

/** What the result has where the equation does not say it. */
function lettersOnce(inputs: readonly (readonly string[])[]): string[] {
  const all = inputs.flat().filter((label) => !label.startsWith("."));
  return all.filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort();
}
