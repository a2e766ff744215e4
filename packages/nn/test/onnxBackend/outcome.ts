/** What becomes of each model. */
import type { TensorData } from "@ddad/nn";
import { type BackendCase, type DataSet, readDataSets } from "./data.ts";
import { runGraph } from "./graph.ts";
import { absent, excluded } from "./operators/absent.ts";
import { Outside } from "./outside.ts";
import type { ProtoInput, ProtoTensor } from "./proto.ts";
import { dtypeOf, Value } from "./values.ts";

/**
 * `one`: right, and each node is one public operation besides layout and type. `several`: right, with some node that is made of
 * more. `wrong`: other numbers. `refused`: an error of the library. The others: see Outside.
 */
export type Verdict = "one" | "several" | "wrong" | "refused" | Outside["kind"];

export interface Outcome {
  readonly name: string;
  /** The operator that the model tests; of a model with several nodes, see {@link subject}. */
  readonly operator: string;
  readonly verdict: Verdict;
  /** Why, of all that is not right. */
  readonly reason: string;
}

export const isRight = ({ verdict }: Outcome): boolean => verdict === "one" || verdict === "several";
export const isBad = ({ verdict }: Outcome): boolean => verdict === "wrong" || verdict === "refused";

/** Allowed difference, as in ONNX's own runner. */
const relative = 1e-3;
const absolute = 1e-7;

/** What a model is listed under: its only operator, or the fact that it is the expansion of one. */
export function subject({ name, model }: BackendCase): string {
  if (name.endsWith("_expanded")) return "(expanded)";
  const operators = new Set(model.nodes.map(({ op }) => op).filter((op) => op !== "Constant"));
  if (operators.size === 0) return "Constant";
  return operators.size === 1 ? [...operators][0]! : "(several operators)";
}

/** Runs a model on all of its data. */
export async function tryCase(test: BackendCase): Promise<Outcome> {
  const head = { name: test.name, operator: subject(test) };
  try {
    // What no table holds may come with data that are no tensors.
    for (const { op } of test.model.nodes) if (absent[op]) throw new Outside(...absent[op]);
    const reason = excluded[test.name];
    if (reason) throw new Outside(...reason);
    for (const { type } of test.model.inputs) checkType(type);
    let most = 0;
    for (const data of readDataSets(test)) {
      const run = await runGraph(test.model, bind(test, data));
      most = Math.max(most, run.most);
      for (const [place, expected] of data.outputs.entries()) {
        const problem = await compare(run.outputs[place]!, expected);
        if (problem) return { ...head, verdict: "wrong", reason: `output ${place}: ${problem}` };
      }
    }
    return { ...head, verdict: most <= 1 ? "one" : "several", reason: "" };
  } catch (error) {
    if (error instanceof Outside) return { ...head, verdict: error.kind, reason: error.reason };
    return { ...head, verdict: "refused", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Throws Outside for what is no tensor of numbers. */
function checkType(type: ProtoInput["type"]): void {
  if (type === "sequence" || type === "optional" || type === "map")
    throw new Outside("notApplicable", "sequences and optional values are the host language's");
  dtypeOf(type);
}

/** The model's inputs by name: those that are no initializers, in order. */
export function bind({ model }: BackendCase, { inputs }: DataSet): Map<string, Value> {
  const constants = new Set(model.initializers.map(({ name }) => name));
  const given = inputs.length === model.inputs.length;
  const names = model.inputs.map(({ name }) => name).filter((name) => given || !constants.has(name));
  return new Map(inputs.map((input, place) => [names[place] ?? input.name, Value.constant(input)]));
}

async function compare(value: Value, expected: ProtoTensor): Promise<string> {
  const { tensor } = value;
  const dtype = dtypeOf(expected.type);
  if (tensor.dtype !== dtype) return `the type is ${tensor.dtype} but ${dtype} is right`;
  if (JSON.stringify(tensor.shape) !== JSON.stringify(expected.shape))
    return `the shape is [${tensor.shape}] but [${expected.shape}] is right`;
  const found: TensorData = await tensor.data();
  for (const [index, exact] of expected.values.entries()) {
    const value = Number(found[index]);
    // What is beyond f32 is infinite there: f64 is computed in f32.
    const right = expected.type === "double" ? Math.fround(exact) : exact;
    if (!near(value, right)) return `element ${index} is ${value} but ${right} is right`;
  }
  return "";
}

function near(value: number, right: number): boolean {
  if (Number.isNaN(right)) return Number.isNaN(value);
  if (!Number.isFinite(right)) return value === right;
  return Math.abs(value - right) <= absolute + relative * Math.abs(right);
}
