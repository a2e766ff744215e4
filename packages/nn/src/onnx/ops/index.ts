/** Which translation belongs to which kernel, and which modules are translated as a whole. */
import { UsageError } from "@ddad/tensor";
import { BatchNorm2d } from "../../layers/batchNorm2d.ts";
import { TimeEmbedding } from "../../layers/timeEmbedding.ts";
import type { ModuleClass, Step } from "../trace.ts";
import { elementwise } from "./elementwise.ts";
import {
  averagePool,
  averagePool2,
  conv2d,
  conv2dInputGradient,
  gridSample,
  maxPool,
  resizeBilinear,
  upsample,
  upsampleNearest2,
} from "./images.ts";
import {
  all,
  any,
  broadcast,
  concat,
  copy,
  cosineDistance,
  logSoftmax,
  max,
  min,
  pad,
  permute,
  prod,
  reshape,
  slice,
  softmax,
  sum,
} from "./movement.ts";
import { attention, attentionPacked, batchNorm2d, groupNorm, matmul, timeEmbedding } from "./networks.ts";
import type { Translator } from "./translator.ts";

/** By the kernel's name; `reshape` has no kernel. */
export const translators: Readonly<Record<string, Translator>> = {
  all,
  any,
  attention,
  attentionPacked,
  averagePool,
  averagePool2,
  broadcast,
  concat,
  conv2d,
  conv2dInputGradient,
  copy,
  cosineDistance,
  elementwise,
  gridSample,
  groupNorm,
  logSoftmax,
  matmul,
  max,
  maxPool,
  min,
  pad,
  permute,
  prod,
  reshape,
  resizeBilinear,
  slice,
  softmax,
  sum,
  upsample,
  upsampleNearest2,
};

const moduleTranslators: readonly (readonly [ModuleClass, Translator])[] = [
  [BatchNorm2d, batchNorm2d],
  [TimeEmbedding, timeEmbedding],
];

/** Modules that are translated as a whole, whatever they record. */
export const wholeModules: readonly ModuleClass[] = moduleTranslators.map(([type]) => type);

/** Throws Error with a sentence where there is none. */
export function translatorOf({ op, attrs, module, scope }: Step): Translator {
  if ((attrs as { epilogue?: unknown } | undefined)?.epilogue !== undefined) {
    throw new UsageError(
      `exportOnnx: ${op} has an epilogue, which only the plans of this library have; record its operations.`,
    );
  }
  const found = module
    ? moduleTranslators.find(([type]) => module instanceof type)?.[1]
    : Object.hasOwn(translators, op)
      ? translators[op]
      : undefined;
  if (found) return found;
  throw new UsageError(
    `exportOnnx: there is no translation of ${op} (in ${scope || "forward"}) to ONNX; there is one of ` +
      `${Object.keys(translators).join(", ")}.`,
  );
}
