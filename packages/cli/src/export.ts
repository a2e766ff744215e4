/** `ddad export`. */
import { DataError } from "@ddad/ddad/internal";
import { describeOnnx, exportOnnxFiles, exportSafetensors, openModel } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { printResult } from "./terminal.ts";

export type ExportOptions = ModelOptions & {
  readonly out: string;
  readonly modulePrefix?: boolean;
  readonly onnx?: boolean;
  readonly json?: boolean;
};

export async function runExport(options: ExportOptions): Promise<void> {
  const { out, onnx, modulePrefix, json } = options;
  const { path, model } = await openModel(checkpointOf(options));
  const { method } = model.config;
  if (method !== "ddad") {
    throw new DataError(
      `${path} is of method ${method}, which has no network of its own; its file is safetensors as it is.`,
    );
  }
  if (onnx) {
    if (modulePrefix) throw new DataError("--module-prefix is for PyTorch; leave it out with --onnx.");
    const report = await exportOnnxFiles(model, out, { onEvent: eventPrinter() });
    printResult(json, { checkpoint: path, ...report }, report.files.map(describeOnnx).join("\n"));
    return;
  }
  const files = exportSafetensors(model, out, { modulePrefix });
  const text = files.map((file) => `wrote ${file.path}: ${file.network}, ${file.tensors} tensors`);
  printResult(json, { checkpoint: path, files }, text.join("\n"));
}
