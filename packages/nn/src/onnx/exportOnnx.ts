/**
 * Export to ONNX: translates a module's recorded operations one by one. One table of operations thus serves every
 * module, users' own included, and no network needs an exporter of its own.
 */
import { type AnyTensor, evaluate, UsageError } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import type { ResNet } from "../models/resnet/resnet.ts";
import type { UNet } from "../models/unet/unet.ts";
import { checkOnnxSize, encodeOnnx, type OnnxNode, type OnnxValueInfo } from "./model.ts";
import { translatorOf, wholeModules } from "./ops/index.ts";
import { type OpenShape, openShapes } from "./shapes.ts";
import {
  checkSource,
  type OnnxSource,
  type ResNetOnnxOptions,
  resNetOnnx,
  type UNetOnnxOptions,
  unetOnnx,
} from "./source.ts";
import { resolve, type Trace, trace } from "./trace.ts";
import { type Constant, fileOrder, onnxType, Translation } from "./translation.ts";

/** Options of every export. */
export interface OnnxExportOptions {
  /** Kept in the file as text, for example a configuration. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Sizes of the recorded batches: extents that differ between them grow with the batch. */
const batches = [2, 3] as const;

/**
 * The bytes of an ONNX file (operator set 18, f32) that computes what the module does in evaluation mode. The size of the
 * batch is left open; everything with four axes is NCHW, weights have PyTorch's names and layouts.
 *
 * @throws Error with a sentence for operations without a translation, for what depends on the batch size otherwise than by
 *   extents, for randomness and f16; CheckpointError over 2 GiB
 */
export async function exportOnnx(source: OnnxSource, options: OnnxExportOptions = {}): Promise<Uint8Array> {
  checkOptions("exportOnnx", options, ["metadata"]);
  checkSource("exportOnnx", source);
  const state = source.module.namedState();
  await evaluate(...state.values());
  const names = new Map([...state].map(([name, variable]): [AnyTensor, string] => [resolve(variable), name]));
  const [recorded, other] = batches.map((batch) => trace(source, batch, wholeModules)) as [Trace, Trace];
  const open = openShapes([recorded, other], batches);
  checkOnnxSize(recorded.constants.reduce((bytes, { size }) => bytes + 4 * size, 0));
  const translation = new Translation(open, await readConstants(recorded, other, names));
  const inputs = Object.entries(recorded.inputs).map(([name, tensor]) => {
    translation.write(tensor, translation.name(name), fileOrder(tensor.shape.length));
    return infoOf(name, tensor, open.get(tensor)!);
  });
  const outputs = Object.entries(recorded.outputs).map(([name, tensor]) =>
    infoOf(translation.name(name), tensor, open.get(tensor)!),
  );
  for (const step of recorded.steps) {
    translation.scope = step.scope;
    translatorOf(step)(translation, step);
  }
  translation.scope = "";
  const made = Object.values(recorded.outputs).map((tensor) =>
    translation.read(tensor, fileOrder(tensor.shape.length)),
  );
  const nodes = renameOutputs(translation, made, outputs);
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const initializers = [...translation.initializers.values()].filter(({ name }) => used.has(name));
  const { metadata = {} } = options;
  return encodeOnnx({ name: source.name, nodes, initializers, inputs, outputs, metadata });
}

/** A denoiser as an ONNX file: inputs `x` [N, C, S, S] and `t` [N], output `noise` [N, C, S, S]. */
export async function exportUNetOnnx(
  unet: UNet,
  options: UNetOnnxOptions & OnnxExportOptions,
): Promise<Uint8Array> {
  checkOptions("exportUNetOnnx", options, ["imageSize", "metadata"], "{ imageSize: 64 }");
  const { metadata, ...sizes } = options;
  return exportOnnx(unetOnnx(unet, sizes), metadata && { metadata });
}

/** An extractor as an ONNX file: input `x` [N, 3, S, S], one output a feature. Norms are folded if `foldBatchNorm` did. */
export async function exportResNetOnnx(
  net: ResNet,
  options: ResNetOnnxOptions & OnnxExportOptions,
): Promise<Uint8Array> {
  checkOptions("exportResNetOnnx", options, ["imageSize", "features", "metadata"], "{ imageSize: 224 }");
  const { metadata, ...sizes } = options;
  return exportOnnx(resNetOnnx(net, sizes), metadata && { metadata });
}

/** Reads back what the file holds as constants. Both recordings must have the same ones. */
async function readConstants(
  recorded: Trace,
  other: Trace,
  names: ReadonlyMap<AnyTensor, string>,
): Promise<Map<AnyTensor, Constant>> {
  const pending = [...recorded.constants, ...other.constants].filter(({ evaluated }) => !evaluated);
  await evaluate(...pending);
  const constants = new Map<AnyTensor, Constant>();
  for (const [index, tensor] of recorded.constants.entries()) {
    const data = await tensor.data();
    const twin = other.constants[index]!;
    if (twin !== tensor && (await twin.data()).some((value, k) => !Object.is(value, data[k]))) {
      throw new UsageError(
        `exportOnnx: a constant ${tensor} made in forward depends on the size of the batch.`,
      );
    }
    constants.set(tensor, { name: names.get(tensor), data });
  }
  for (const tensor of pending) tensor.dispose();
  return constants;
}

function infoOf(name: string, tensor: AnyTensor, open: OpenShape): OnnxValueInfo {
  const shape = fileOrder(tensor.shape.length).map((axis) => {
    if (open[axis] !== -1) return open[axis]!;
    return tensor.shape[axis] === batches[0] ? "N" : `${name}_${axis}`;
  });
  return { name, type: onnxType(tensor), shape };
}

/** The nodes that outputs depend on, the outputs under their own names. */
function renameOutputs(
  translation: Translation,
  made: readonly string[],
  outputs: readonly OnnxValueInfo[],
): OnnxNode[] {
  const { nodes } = translation;
  const produced = new Set(nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  const copies: OnnxNode[] = [];
  for (const [index, value] of made.entries()) {
    const { name } = outputs[index]!;
    // An input, or what is an output under another name already, needs a node that gives it a second name.
    if (!produced.has(value) || renamed.has(value)) {
      const node = translation.name("Identity");
      copies.push({ name: node, op: "Identity", inputs: [value], outputs: [name], attributes: {} });
    } else renamed.set(value, name);
  }
  const needed = new Set(outputs.map(({ name }) => name));
  const kept: OnnxNode[] = [];
  for (const node of [...nodes, ...copies].reverse()) {
    const rename = (names: readonly string[]): string[] => names.map((name) => renamed.get(name) ?? name);
    const changed = { ...node, inputs: rename(node.inputs), outputs: rename(node.outputs) };
    if (!changed.outputs.some((name) => needed.has(name))) continue;
    for (const input of changed.inputs) needed.add(input);
    kept.push(changed);
  }
  return kept.reverse();
}
