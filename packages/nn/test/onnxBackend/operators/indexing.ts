/** Operators that pick or place elements by index. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operators } from "../call.ts";
import { countUse, nn } from "../counted.ts";

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/**
 * Indices [..., K] into the first K axes behind `batch` ones, as one index each [...] into these axes together. Indices of the
 * batch axes are put in front.
 */
function linear(index: Tensor<"i32">, shape: readonly number[], batch: number): Tensor<"i32"> {
  const depth = index.shape.at(-1)!;
  const inner = shape.slice(batch, batch + depth);
  const strides = inner.map((_, k) => product(inner.slice(k + 1)));
  const flat =
    depth === 1
      ? nn.reshape(index, index.shape.slice(0, -1))
      : nn.sum(nn.mul(index, nn.tensor(strides, [depth], { dtype: "i32" })), -1);
  if (batch === 0) return flat;
  const batches = product(shape.slice(0, batch));
  const offsets = nn.arange(batches * product(inner), { step: product(inner), dtype: "i32" });
  const around = [...shape.slice(0, batch), ...Array<number>(flat.shape.length - batch).fill(1)];
  return nn.add(flat, nn.reshape(offsets, around));
}

const reduceOf = (call: Call): { reduce?: "add" | "mul" | "max" | "min" } => {
  const reduction = call.text("reduction", "none");
  return reduction === "none" ? {} : { reduce: reduction as "add" | "mul" | "max" | "min" };
};

export const indexing: Operators = {
  Gather: (call) => nn.gather(call.x(), call.index(1), call.int("axis", 0)),
  GatherElements: (call) => nn.takeAlong(call.x(), call.index(1), call.int("axis", 0)),

  GatherND: (call) => {
    const batch = call.int("batch_dims", 0);
    const index = linear(call.index(1), call.shape(), batch);
    const inner = batch + call.shape(1).at(-1)!;
    return nn.gather(nn.reshape(call.x(), [-1, ...call.shape().slice(inner)]), index);
  },

  Scatter: (call) => nn.scatter(call.x(), call.index(1), call.x(2), call.int("axis", 0)),
  ScatterElements: (call) =>
    nn.scatter(call.x(), call.index(1), call.x(2), call.int("axis", 0), reduceOf(call)),

  ScatterND: (call) => {
    const inner = call.shape().slice(call.shape(1).at(-1)!);
    const index = linear(call.index(1), call.shape(), 0);
    const rows = nn.reshape(index, [index.size, ...inner.map(() => 1)]);
    const everywhere = nn.broadcastTo(rows, [index.size, ...inner]);
    const source = nn.reshape(call.x(2), [index.size, ...inner]);
    const y = nn.scatter(nn.reshape(call.x(), [-1, ...inner]), everywhere, source, 0, reduceOf(call));
    return nn.reshape(y, call.shape());
  },

  TopK: async (call) => {
    const k = (await call.number(1)) ?? call.int("k", 1);
    const { values, indices } = nn.topK(call.x(), k, {
      axis: call.int("axis", -1),
      largest: call.int("largest", 1) === 1,
    });
    return [values, indices];
  },

  OneHot: async (call) => {
    const classes = (await call.number(1))!;
    const [off, on] = nn.split(call.x(2), 1, 0) as [Tensor, Tensor];
    // Classes count from the end where they are negative.
    const index = nn.mod(nn.cast(call.x(0), "i32"), classes);
    const hot = nn.oneHot(index, classes);
    const axis = call.axis(call.int("axis", -1), call.rank + 1);
    const order = index.shape.map((_, k) => k);
    order.splice(axis, 0, call.rank);
    return nn.permute(nn.where(nn.cast(hot, "bool"), on, off), order);
  },

  Compress: async (call) => {
    // The size depends on the data, so somebody has to read them: which rows stay is decided on the host.
    countUse("data");
    const kept = (await call.numbers(1))!.flatMap((keep, index) => (keep ? [index] : []));
    const axis = call.node.attributes.get("axis")?.int;
    const x = axis === undefined ? nn.reshape(call.x(), [-1]) : call.x();
    return nn.gather(x, nn.tensor(kept, [kept.length], { dtype: "i32" }), axis ?? 0);
  },
};
