/** A module as a tree of text, as PyTorch prints it, with shapes and numbers of values. */
import { type AnyTensor, type AnyVariable, Variable } from "@ddad/tensor";
import type { Member } from "./members.ts";
import type { Module } from "./module.ts";

/**
 * ```
 * Sequential(
 *   (0): Linear(weight [784, 64], bias [64]): 50,240 parameters
 *   (1): Dropout(p 0.5)
 * ): 50,240 parameters
 * ```
 *
 * @param childrenOf what a module holds itself
 */
export function describeModule(module: Module, childrenOf: (module: Module) => readonly Member[]): string {
  return describe(module, childrenOf, []);
}

function describe(
  module: Module,
  childrenOf: (module: Module) => readonly Member[],
  outer: readonly Module[],
): string {
  const own: string[] = [];
  const modules: string[] = [];
  for (const [name, member] of childrenOf(module)) {
    if (member instanceof Variable) own.push(`${name} ${shapeOf(member)}`);
    else if ([...outer, module].includes(member)) modules.push(`(${name}): ${member.constructor.name} again`);
    else modules.push(`(${name}): ${describe(member, childrenOf, [...outer, module])}`);
  }
  const lines = [...(own.length > 0 && modules.length > 0 ? [own.join(", ")] : []), ...modules];
  const inside =
    modules.length > 0 ? `\n${lines.map(indented).join("\n")}\n` : [...own, ...settingsOf(module)].join(", ");
  return `${module.constructor.name}(${inside})${countsOf(module)}`;
}

/** Numbers, words and lists of numbers among a layer's properties and in its options, for example `stride 2`. */
function settingsOf(module: Module): string[] {
  const { training, torchNames, options, ...others } = module as Module & { readonly options?: unknown };
  const all = typeof options === "object" ? { ...others, ...options } : others;
  return Object.entries(all).flatMap(([name, value]) => {
    if (typeof value === "number" || typeof value === "string") return [`${name} ${value}`];
    const isList = Array.isArray(value) && value.every((entry) => typeof entry === "number");
    return isList ? [`${name} [${value.join(", ")}]`] : [];
  });
}

const indented = (text: string): string => text.replace(/^/gm, "  ");

const shapeOf = ({ shape, dtype }: AnyTensor): string =>
  `[${shape.join(", ")}]${dtype === "f32" ? "" : ` ${dtype}`}`;

/** Values of all parameters, and how many of them are trained where some are frozen. */
function countsOf(module: Module): string {
  const trained = sizeOf(module.parameters());
  const buffers = new Set<AnyVariable>(module.buffers());
  const all = sizeOf([...new Set(module.namedState().values())].filter((variable) => !buffers.has(variable)));
  if (all === 0) return "";
  const shown = `: ${all.toLocaleString("en")} parameter${all === 1 ? "" : "s"}`;
  return trained === all ? shown : `${shown}, ${trained.toLocaleString("en")} of them trained`;
}

const sizeOf = (variables: readonly AnyVariable[]): number =>
  variables.reduce((sum, { size }) => sum + size, 0);
