/** Runs the nodes of a model one after another: each records operations of the library. */
import type { AnyTensor } from "@ddad/nn";
import { Call } from "./call.ts";
import { takeCount } from "./counted.ts";
import { absent } from "./operators/absent.ts";
import { operators } from "./operators/index.ts";
import { Outside } from "./outside.ts";
import type { ProtoModel, ProtoNode } from "./proto.ts";
import { Value } from "./values.ts";

/** What a model computes. */
export interface GraphRun {
  readonly outputs: readonly Value[];
  /** The most public operations that one of its nodes takes. */
  readonly most: number;
}

/** Outputs of the model for these inputs, by name. Throws Outside where the library has no answer. */
export async function runGraph(model: ProtoModel, inputs: ReadonlyMap<string, Value>): Promise<GraphRun> {
  const known = new Map<string, Value>([
    ...model.initializers.map((tensor): [string, Value] => [tensor.name, Value.constant(tensor)]),
    ...inputs,
  ]);
  let most = 0;
  for (const node of model.nodes) {
    const operator = operators[node.op];
    if (!operator) throw missing(node);
    takeCount();
    const result = await operator(new Call(node, model.opset, known));
    most = Math.max(most, takeCount());
    const list = Array.isArray(result) ? result : [result as AnyTensor | Value];
    list.forEach((made: AnyTensor | Value | undefined, place) => {
      const name = node.outputs[place];
      if (name && made) known.set(name, made instanceof Value ? made : Value.of(made));
    });
  }
  const outputs = model.outputs.map((name) => {
    const value = known.get(name);
    if (!value) throw new Error(`The model's output "${name}" was never computed.`);
    return value;
  });
  return { outputs, most };
}

function missing({ op }: ProtoNode): Error {
  const known = absent[op];
  if (known) return new Outside(...known);
  return new Error(
    `operator ${op} is in no table: add it to operators/ or, with a reason, to operators/absent.ts.`,
  );
}
