/** The parameters of an optimiser: those of a module, or given ones. */
import { UsageError, Variable } from "@ddad/tensor";
import { checkKind } from "../arguments.ts";
import { Module } from "../module.ts";

/** What of a module, or which variables (with or without names), an optimiser changes. */
export type ParameterSource = Module | readonly Variable[] | ReadonlyMap<string, Variable>;

/**
 * Each parameter once, with the first of its names.
 *
 * @throws RangeError where there is none, UsageError for what cannot be trained
 */
export function namesOf(op: string, source: ParameterSource): Map<Variable, string> {
  const names = new Map<Variable, string>();
  const isSource = source instanceof Module || Array.isArray(source) || source instanceof Map;
  checkKind(op, "the parameters", source, isSource, "a module, or an array or a Map of variables");
  const given: Iterable<readonly [string | number, Variable]> =
    source instanceof Module ? source.namedParameters() : source.entries();
  for (const [name, variable] of given) {
    if (!(variable instanceof Variable)) {
      const kind = Array.isArray(variable)
        ? "an array; spread it"
        : "no Variable; pass parameters, or a module";
      throw new UsageError(`${op}: parameter ${name} is ${kind}.`);
    }
    if (variable.dtype !== "f32") {
      throw new UsageError(
        `${op}: parameter ${name} is ${variable.dtype}. Train f32 parameters; layers cast them to f16 where their input is.`,
      );
    }
    if (!names.has(variable)) names.set(variable, String(name));
  }
  if (names.size > 0) return names;
  throw new RangeError(
    source instanceof Module
      ? `${op}: the module has no parameters to train. Either all are frozen, or its layers cannot be found:  ` +
          "in #private fields, or made inside functions. Make them properties, or put them in arrays, plain objects or Maps that are."
      : `${op}: the list of parameters is empty. Pass module.parameters(), or the module itself.`,
  );
}
