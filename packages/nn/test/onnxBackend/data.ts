/** Finds ONNX's backend tests on this machine and reads them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ProtoModel, type ProtoTensor, readModel, readTensor } from "./proto.ts";

/** Where Debian's and Ubuntu's package libonnx-testdata puts them; ONNX_TESTDATA names another folder. */
const folder = process.env["ONNX_TESTDATA"] ?? "/usr/share/libonnx-testdata/data";

/** The suites whose models are small: `real` holds whole networks of hundreds of MB. */
const suites = ["node", "pytorch-converted", "pytorch-operator", "simple"] as const;

/** Why there are no tests to run, or undefined where there are. */
export const missingData: string | undefined = existsSync(join(folder, "node"))
  ? undefined
  : `ONNX's backend tests are not at ${folder}. Install them: apt-get install libonnx-testdata (or set ONNX_TESTDATA).`;

/** One model and the folder that holds it. */
export interface BackendCase {
  /** Such as "node/test_abs". */
  readonly name: string;
  readonly model: ProtoModel;
  readonly folder: string;
}

/** Inputs and expected outputs of one run, in the order of the model's own. */
export interface DataSet {
  readonly inputs: readonly ProtoTensor[];
  readonly outputs: readonly ProtoTensor[];
}

/** Every model, ordered by name. */
export function readCases(): BackendCase[] {
  return suites.flatMap((suite) =>
    readdirSync(join(folder, suite))
      .sort()
      .map((name) => {
        const path = join(folder, suite, name);
        return {
          name: `${suite}/${name}`,
          model: readModel(readFileSync(join(path, "model.onnx"))),
          folder: path,
        };
      }),
  );
}

/** The runs that a model comes with: nearly all have one. */
export function readDataSets({ folder: path }: BackendCase): DataSet[] {
  return readdirSync(path)
    .filter((name) => name.startsWith("test_data_set"))
    .sort()
    .map((name) => ({
      inputs: readTensors(join(path, name), "input"),
      outputs: readTensors(join(path, name), "output"),
    }));
}

function readTensors(path: string, kind: "input" | "output"): ProtoTensor[] {
  const files = readdirSync(path).filter((name) => name.startsWith(`${kind}_`) && name.endsWith(".pb"));
  return files.map((_, index) => readTensor(readFileSync(join(path, `${kind}_${index}.pb`))));
}
