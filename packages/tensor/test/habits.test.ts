/** Calls that TypeScript refuses, as JavaScript and unchecked TypeScript make them: a sentence, never an internal TypeError. */
import { concat, grad, ones, tensor } from "@ddad/tensor";
import { expect } from "chai";
import * as ops from "../src/ops/index.ts";

type Loose = Record<string, (...values: unknown[]) => unknown>;

describe("arguments of another kind than their types say", () => {
  const x = (): Loose => ones([2, 3]) as unknown as Loose;
  const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
    [
      "reshape(3, 2)",
      () => x()["reshape"]!(3, 2),
      /^reshape: the shape must be an array of numbers, such as/,
    ],
    ["reshape()", () => x()["reshape"]!(), /^reshape: .*but is undefined/],
    ["permute(1, 0)", () => x()["permute"]!(1, 0), /^permute: order must be an array of numbers/],
    ["broadcastTo(2, 3)", () => x()["broadcastTo"]!(2, 3), /^broadcastTo: the shape must be an array/],
    ["tile(2)", () => x()["tile"]!(2), /^tile: repeats must be an array/],
    ["sum({ dim: 1 })", () => x()["sum"]!({ dim: 1 }), /^sum: axes must be/],
    ["softmax({ dim: 1 })", () => x()["softmax"]!({ dim: 1 }), /^softmax: /],
    ["squeeze of a string", () => x()["squeeze"]!("a"), /^squeeze: axes must be.*the string "a"/],
    [
      "concat(a, b)",
      () => (concat as unknown as Loose["concat"])!(x(), x()),
      /^concat: the tensors must be in an array/,
    ],
    [
      "stack(a, b)",
      () => (ops.stack as unknown as Loose["stack"])!(x(), x()),
      /^stack: the tensors must be in an array/,
    ],
    [
      "grad(loss, x)",
      () => (grad as unknown as Loose["grad"])!(ones([2]).sum(), x()),
      /^grad: the tensors must be in an array/,
    ],
    [
      "cast to float32",
      () => x()["cast"]!("float32"),
      /^cast: the dtype must be one of f32, f16, i32, u32, bool/,
    ],
    ["tensor of i64", () => tensor([1], { dtype: "i64" as "i32" }), /^tensor: the dtype must be one of/],
    [
      "tensor with a dtype as second argument",
      () => tensor([1], "i32" as never),
      /^tensor: the second argument must be/,
    ],
  ];
  for (const [name, call, message] of refused) {
    it(name, () => expect(call).to.throw(message));
  }
});
