/** Matrix products, norms and attention, and the modules that are translated as a whole. */
import { elementType } from "../model.ts";
import type { Step } from "../trace.ts";
import { channelsSecond, type Translation } from "../translation.ts";
import { silu } from "./elementwise.ts";
import type { Translator } from "./translator.ts";

export const matmul: Translator = (t, { attrs, inputs, outputs }) => {
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  const { a, b, bias } = inputs;
  const last = (rank: number, swap: boolean): number[] => {
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    return swap ? [...axes.slice(0, -2), rank - 1, rank - 2] : axes;
  };
  const added = bias ? [t.read(bias)] : [];
  if (a!.shape.length === 2 && b!.shape.length === 2) {
    // A weight is written as [out, in], as PyTorch has it.
    const swap = t.isConstant(b!) && !transposeB;
    const operands = [t.read(a!), t.read(b!, last(2, swap)), ...added];
    const flags = { transA: Number(transposeA), transB: Number(transposeB || swap) };
    t.write(outputs["y"]!, t.emit("Gemm", operands, flags));
    return;
  }
  const operands = [
    t.read(a!, last(a!.shape.length, transposeA)),
    t.read(b!, last(b!.shape.length, transposeB)),
  ];
  const product = t.emit("MatMul", operands);
  t.write(outputs["y"]!, bias ? t.emit("Add", [product, ...added]) : product);
};

/**
 * Instance norm over groups, then scale and shift a channel, as PyTorch's exporter writes it: GroupNormalization had its
 * scale a group, not a channel, before operator set 21.
 */
export const groupNorm: Translator = (t, { attrs, inputs, outputs }) => {
  const { groups, epsilon, activation } = attrs as { groups: number; epsilon: number; activation: string };
  const { x, weight, bias } = inputs;
  const rank = x!.shape.length;
  const order = channelsSecond(rank);
  const inFile = order.map((axis) => t.open(x!)[axis]!); // [N, C, …]
  const grouped = t.emit("Reshape", [t.read(x!, order), t.ints([0, groups, -1])]);
  const constant = (value: number): string => t.floats(new Float32Array(groups).fill(value));
  const normal = t.emit("InstanceNormalization", [grouped, constant(1), constant(0)], {
    epsilon: { float: epsilon },
  });
  const restored = t.emit("Reshape", [normal, t.ints([0, ...inFile.slice(1)])]);
  const scaled = t.emit("Mul", [restored, t.readBroadcast(weight!, rank, order)]);
  const y = t.emit("Add", [scaled, t.readBroadcast(bias!, rank, order)]);
  t.write(outputs["y"]!, activation === "silu" ? silu(t, y) : y, order);
};

/** softmax(scale · q kᵀ) v by head. Runtimes fuse what they can; here the matrix of weights is a value. */
export const attention: Translator = (t, step) => {
  const query = t.read(step.inputs["query"]!, headsSecond);
  const key = t.read(step.inputs["key"]!, [0, 2, 3, 1]); // [N, heads, D, S]
  writeAttention(t, step, query, key, t.read(step.inputs["value"]!, headsSecond));
};

/** The same of one tensor, whose last axis holds q, k and v. */
export const attentionPacked: Translator = (t, step) => {
  const qkv = step.inputs["qkv"]!;
  const read = t.read(qkv, headsSecond);
  const dimension = qkv.shape[3]! / 3;
  const part = (index: number): string =>
    t.emit("Slice", [
      read,
      ...[index * dimension, (index + 1) * dimension, 3].map((value) => t.ints([value])),
    ]);
  const key = t.emit("Transpose", [part(1)], { perm: [0, 1, 3, 2] });
  writeAttention(t, step, part(0), key, part(2));
};

/** [N, T, heads, D] as [N, heads, T, D]. */
const headsSecond = [0, 2, 1, 3];

function writeAttention(
  t: Translation,
  { attrs, inputs, outputs }: Step,
  query: string,
  key: string,
  value: string,
): void {
  const { scale, causal } = attrs as { scale: number; causal?: boolean };
  const logits = t.emit("Mul", [t.emit("MatMul", [query, key]), t.scalar(scale, "f32")]);
  const seen = causal ? t.emit("Add", [logits, causalMask(t, inputs)]) : logits;
  const weights = t.emit("Softmax", [seen], { axis: -1 });
  t.write(outputs["y"]!, t.emit("MatMul", [weights, value]), headsSecond);
}

/** [T, S]: 0 where a query sees a key, −∞ where not. */
function causalMask(t: Translation, inputs: Step["inputs"]): string {
  const queries = (inputs["query"] ?? inputs["qkv"])!.shape[1]!;
  const keys = (inputs["key"] ?? inputs["qkv"])!.shape[1]!;
  const mask = Array.from({ length: queries * keys }, (_, index) =>
    index % keys <= Math.floor(index / keys) ? 0 : Number.NEGATIVE_INFINITY,
  );
  return t.emit("Reshape", [t.floats(mask), t.ints([queries, keys])]);
}

/** By the running statistics: recorded as a product and a sum, which fewer tools recognise. */
export const batchNorm2d: Translator = (t, { module, inputs, outputs }) => {
  const { epsilon } = module as unknown as { epsilon: number };
  const order = channelsSecond(inputs["0"]!.shape.length);
  const state = ["weight", "bias", "running_mean", "running_var"].map((name) => t.read(inputs[name]!));
  const y = t.emit("BatchNormalization", [t.read(inputs["0"]!, order), ...state], {
    epsilon: { float: epsilon },
  });
  t.write(outputs["y"]!, y, order);
};

/** The recorded sine is a polynomial of twenty nodes, because WGSL's own is not exact; ONNX has a good one. */
export const timeEmbedding: Translator = (t, { module, inputs, outputs, scope }) => {
  const { channels } = module as unknown as { channels: number };
  const half = channels / 2;
  const frequencies = Array.from({ length: half }, (_, k) => Math.exp((-Math.log(1e4) * k) / half));
  const steps = inputs["0"]!;
  const given = t.read(steps);
  const floats = steps.dtype === "f32" ? given : t.emit("Cast", [given], { to: elementType("f32") });
  const column = t.emit("Reshape", [floats, t.ints([-1, 1])]);
  const angles = t.emit("Mul", [column, t.floats(frequencies)]); // [N, half]
  const sinusoids = t.emit("Concat", [t.emit("Sin", [angles]), t.emit("Cos", [angles])], { axis: 1 });
  const linear = (x: string, name: string): string => {
    t.scope = `${scope}.${name}`;
    const weight = t.read(inputs[`${name}.weight`]!, [1, 0]);
    return t.emit("Gemm", [x, weight, t.read(inputs[`${name}.bias`]!)], { transA: 0, transB: 1 });
  };
  const hidden = linear(sinusoids, "1");
  t.scope = scope;
  t.write(outputs["y"]!, linear(silu(t, hidden), "3"));
};
