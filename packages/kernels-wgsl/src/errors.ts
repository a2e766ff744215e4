/** Shapes or types that an operation cannot take. The message names the op, the rule, the facts and the cure. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** Throws a {@link ShapeError} `op: message` unless `condition` holds. */
export function check(condition: boolean, op: string, message: string): asserts condition {
  if (!condition) throw new ShapeError(`${op}: ${message}`);
}
