/** A trainable variable that knows PyTorch's storage layout. */
import { evaluate, type Tensor, tensor, Variable } from "@ddad/tensor";
import { checkOptions, checkShape } from "@ddad/tensor/internal";
import { checkKind } from "./arguments.ts";
import { HostRandom } from "./hostRandom.ts";
import { defaultRandom, type Fan, type Initializer } from "./init.ts";
import { elements, type Layout } from "./stateDict.ts";

/** A variable that a module learns. Variables of a module that are no parameters are its buffers. */
export class Parameter extends Variable {
  /** How its axes are ordered, and what state dicts hold instead. */
  readonly layout: Layout;
  /** False while frozen: `module.parameters()` leaves it out. */
  trainable = true;

  /** Takes over `initial`, an evaluated tensor in the shape that `layout` says. */
  constructor(initial: Tensor, layout: Layout = "plain") {
    super(initial);
    this.layout = layout;
  }
}

/** Options of `parameter`. */
export interface ParameterOptions {
  /** Makes the initial values. */
  readonly init: Initializer;
  /** Needed by initialisers that depend on it. Default { in: 1, out: 1 }. */
  readonly fan?: Fan;
  /** How the axes are ordered. Default `plain`: as in PyTorch. */
  readonly layout?: Layout;
  /** Where random values come from; default: the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** A new f32 parameter with initial values. Throws ShapeError for a wrong shape, UsageError for wrong options. */
export function parameter(shape: readonly number[], options: ParameterOptions): Parameter {
  checkShape("parameter", shape);
  checkOptions("parameter", options, ["init", "fan", "layout", "random"], "{ init: allZeros }");
  const { init, fan = { in: 1, out: 1 }, layout = "plain", random = defaultRandom() } = options;
  checkKind("parameter", "init", init, typeof init === "function", "a function, such as allZeros");
  checkKind("parameter", "random", random, random instanceof HostRandom, "a HostRandom");
  return new Parameter(tensor(init(elements(shape), fan, random), shape), layout);
}

/** A weight in the type of the features `x`: cast to f16 where they are f16. */
export const castLike = (weight: Tensor, x: Tensor): Tensor =>
  x.dtype === "f16" ? weight.cast("f16") : weight;

/** The values of a weight in f16, in a frozen parameter; the given one is freed. */
export async function toF16(weight: Parameter): Promise<Parameter> {
  checkKind("toF16", "the weight", weight, weight instanceof Parameter, "a Parameter");
  if (weight.dtype === "f16") return weight;
  const values = weight.cast("f16");
  await evaluate(values);
  const half = new Parameter(values, weight.layout);
  half.trainable = false;
  weight.dispose();
  return half;
}
