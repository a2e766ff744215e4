/** Calls that TypeScript refuses, as JavaScript and unchecked TypeScript make them: a sentence, never an internal TypeError. */
import { concat, grad, ones, Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import * as library from "../src/index.ts";
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
    ...Object.entries({ zeros: [[2]], ones: [[2]], full: [[2], 1], arange: [2], eye: [2, 2] }).map(
      ([name, values]): [string, () => unknown, RegExp] => [
        `${name} of i64`,
        () => (library as unknown as Loose)[name]!(...values, { dtype: "i64" }),
        new RegExp(`^${name}: the dtype must be one of`),
      ],
    ),
    [
      "matmul(2)",
      () => x()["matmul"]!(2),
      /^matmul: b must be a Tensor but is the number 2; make one with tensor/,
    ],
    ["add([1, 2])", () => x()["add"]!([1, 2]), /^add: operand 1 must be a Tensor but is an array/],
    [
      "maxPool(x, 2)",
      () => (ops.maxPool as unknown as Loose["maxPool"])!(x(), 2),
      /^maxPool: the options must be an object, as in/,
    ],
    [
      "index of a string",
      () => x()["index"]!("0:2"),
      /^index: an entry is a number.*axis 0 is the string "0:2"/,
    ],
    [
      "tensor with a dtype as second argument",
      () => tensor([1], "i32" as never),
      /^tensor: the second argument must be/,
    ],
  ];
  for (const [name, call, message] of refused) {
    it(name, () => expect(call).to.throw(message));
  }

  /** Neither operations on tensors nor for use by name: what programs and devices are asked. */
  const others = [
    "deviceDescriptor",
    "explain",
    "memory",
    "planBytes",
    "randomKeys",
    "record",
    "materialize",
  ];
  const values: readonly unknown[] = [2, "a", [1, 2], { dim: 1 }, undefined, null];
  const calls = (): [string, (value: unknown) => unknown][] => {
    const [image, matrix] = [ones([1, 4, 4, 2]), ones([2, 3])] as unknown as [Loose, Loose];
    const functions = Object.entries(library as unknown as Loose)
      .filter(([name, value]) => typeof value === "function" && /^[a-z]/.test(name))
      .filter(([name]) => !others.includes(name))
      .filter(([name]) => !/^(compile|tune|profile|setup|list|current|evaluate)/.test(name));
    const methods = Object.getOwnPropertyNames(Tensor.prototype).filter(
      (name) =>
        typeof Object.getOwnPropertyDescriptor(Tensor.prototype, name)!.value === "function" &&
        !["constructor", "dispose", "data", "item", "toArray", ...others].includes(name),
    );
    return [
      ...functions.flatMap(([name, call]): [string, (value: unknown) => unknown][] => [
        [`${name}(…)`, (value) => call(value)],
        [`${name}(image, …)`, (value) => call(image, value)],
        [`${name}(matrix, …)`, (value) => call(matrix, value)],
        [`${name}(matrix, matrix, …)`, (value) => call(matrix, matrix, value)],
      ]),
      ...methods.map((name): [string, (value: unknown) => unknown] => [
        `matrix.${name}(…)`,
        (value) => matrix[name]!(value),
      ]),
    ];
  };

  it("any operation takes a value of another kind, or names itself and the rule", () => {
    const all = calls();
    expect(all.length).to.be.above(500);
    const unclear = all.flatMap(([name, call]) =>
      values.flatMap((value) => {
        try {
          call(value);
          return [];
        } catch (error) {
          const { message } = error as Error;
          return /^\w+: /.test(message) ? [] : [`${name} with ${JSON.stringify(value)}: ${message}`];
        }
      }),
    );
    expect(unclear).to.deep.equal([]);
  });

  it("any operation refuses an option that it does not know", async () => {
    const image = ones([1, 4, 4, 2]);
    const index = tensor([[0, 1, 1]], { dtype: "i32" });
    const key = tensor([1, 2, 3, 4], [1, 4], { dtype: "u32" });
    const fillers: readonly unknown[] = [
      undefined,
      image,
      ones([2, 3]),
      1,
      [2, 2],
      index,
      key,
      ones([2, 2, 4, 4]),
    ];
    /** All lists of `count` fillers. */
    const lists = (count: number): unknown[][] =>
      count === 0 ? [[]] : lists(count - 1).flatMap((list) => fillers.map((filler) => [...list, filler]));
    const refuses = async (call: (...values: unknown[]) => unknown, list: readonly unknown[]) => {
      try {
        await call(...list, { nonsense: 1 });
        return false;
      } catch (error) {
        return (error as Error).message.includes("there is no option nonsense");
      }
    };
    const ignoring: string[] = [];
    for (const [name, call] of Object.entries(library as unknown as Loose)) {
      if (typeof call !== "function" || !/^[a-z]/.test(name)) continue;
      const parameters = /\(([^)]*)/.exec(String(call))![1]!;
      expect(parameters, `${name} takes its options apart before they are checked`).not.to.include("{ ");
      const place = parameters.split(",").findIndex((parameter) => /^ *options\b/.test(parameter));
      if (place < 0) continue;
      let refused = false;
      for (const list of lists(place)) refused ||= await refuses(call, list);
      if (!refused) ignoring.push(name);
    }
    expect(ignoring).to.deep.equal([]);
  });
});
