/** ONNX Runtime's WebAssembly build, on one thread. */
import * as ort from "onnxruntime-web";
import type { OnnxArray } from "../src/onnx/parity.ts";
import { elements } from "../src/stateDict.ts";
import { formula } from "./golden.ts";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

export { ort };

/** An input of hashed numbers in [-1, 1). */
export const array = (stream: number, shape: readonly number[]): OnnxArray => ({
  shape,
  data: formula(stream, elements(shape)),
});
