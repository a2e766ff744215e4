/** Every kernel of floats has derivatives: rules, a composition or marks, for all its inputs, forward and backward. */
import { elementwiseTable, isFloat, type Kernel, kernels, prepareCase } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { nodesBehind } from "../src/program/program.ts";
import { type Node, resolve } from "../src/tensor.ts";
import { gradientCases } from "./gradientCases.ts";

/** The nodes that a gradient case records: forward, gradients, and gradients of gradients. */
function nodesOf({ inputs, run }: (typeof gradientCases)[number]): Node[] {
  const tensors = inputs.map(({ shape }) => t.ones(shape));
  const loss = t.sum(t.square(run(...tensors)));
  const first = t.grad(loss, tensors);
  const total = first.map((gradient) => t.sum(t.square(gradient))).reduce((a, b) => t.add(a, b));
  const second = t.grad(total, tensors, { allowUnused: true });
  return nodesBehind([total, ...second].map(resolve));
}

/** Inputs of floats that have an influence on an output of floats, and no derivative. */
function inputsWithout({ inputs, outputs, gradients, composition }: Node): string[] {
  if (composition || !Object.values(outputs).some(({ dtype }) => isFloat(dtype))) return [];
  return Object.entries(inputs).flatMap(([name, { dtype }]) =>
    isFloat(dtype) && gradients[name] === undefined ? [name] : [],
  );
}

/** Kernels whose cases give no input of floats, or whose outputs are none: nothing to differentiate. */
const withoutFloats = (kernel: Kernel): boolean =>
  kernel.cases.every((example) => {
    const { inputs, outputs } = prepareCase(kernel, example).call;
    return [inputs, outputs].some((specs) => Object.values(specs).every(({ dtype }) => !isFloat(dtype)));
  });

describe("derivatives", () => {
  const seen = new Set<string>();

  for (const gradientCase of gradientCases) {
    it(`of all inputs of all kernels behind ${gradientCase.name}`, () => {
      for (const node of nodesOf(gradientCase)) {
        if (!node.kernel) continue;
        seen.add(node.kernel.name);
        const where = `${node.name} ${JSON.stringify(node.attrs)}`;
        expect(inputsWithout(node), where).to.deep.equal([]);
      }
    });
  }

  for (const [name, { arity, typing }] of Object.entries(elementwiseTable)) {
    if (typing === "cast") continue;
    it(`of elementwise ${name}`, () => {
      const dtype = typing === "logic" ? "bool" : typing === "integer" ? "i32" : "f32";
      const operands = Array.from({ length: arity }, () => t.ones([3], { dtype }) as t.Tensor);
      if (typing === "select") operands[0] = t.ones([3], { dtype: "bool" }) as t.AnyTensor as t.Tensor;
      const op = (t as unknown as Record<string, (...operands: t.Tensor[]) => t.Tensor>)[name]!;
      const { source } = op(...operands);
      if (source.kind !== "node") throw new Error(`${name} records nothing.`);
      expect(inputsWithout(source.node)).to.deep.equal([]);
    });
  }

  it("of every kernel: each is behind some gradient case", () => {
    const unseen = kernels.filter((kernel) => !seen.has(kernel.name) && !withoutFloats(kernel));
    expect(unseen.map(({ name }) => name)).to.deep.equal([]);
  });
});
