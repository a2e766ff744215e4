/** Packing, on data alone: which calls become one, what they then read, and where planning puts that. */
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { expect } from "chai";
import { lowerProgram } from "../src/program/lower.ts";
import { packProgram } from "../src/program/pack.ts";
import { misplaced, planProgram } from "../src/program/plan.ts";
import { captureProgram, type Program } from "../src/program/program.ts";
import type { Tensor } from "../src/tensor.ts";
import { caps, checkPlan, leaf } from "./plans.ts";

const shapes = [[8, 8], [16], [4, 4, 4]];

interface Step {
  readonly parameters: readonly Tensor[];
  readonly moments: readonly (readonly Tensor[])[];
  readonly control: Tensor;
}

const step = (): Step => ({
  parameters: shapes.map((shape) => leaf(...shape)),
  moments: [0, 1].map(() => shapes.map((shape) => leaf(...shape))),
  control: leaf(8),
});

/** Gradients that are computed: elementwise, from a leaf each. */
const computed = (): Tensor[] => shapes.map((shape) => t.exp(leaf(...shape)));

/** The assignments of a step of Adam. */
const adam = ({ parameters, moments, control }: Step, gradients: readonly Tensor[], scaled = control) =>
  parameters.flatMap((parameter, k) => {
    const [firstMoment, secondMoment] = [moments[0]![k]!, moments[1]![k]!];
    const gradient = gradients[k]!;
    const next = internal.adamStep(
      { parameter, gradient, firstMoment, secondMoment, control: scaled },
      { decoupled: false },
    );
    return [
      { leaf: parameter, value: next.parameterNext },
      { leaf: firstMoment, value: next.firstMomentNext },
      { leaf: secondMoment, value: next.secondMomentNext },
    ];
  });

/** The program, where these groups of leaves are contiguous. */
function programOf(
  assigned: { readonly leaf: Tensor; readonly value: Tensor }[],
  contiguous: readonly (readonly Tensor[])[],
  targets: readonly Tensor[] = [],
): Program {
  const { program, leaves } = captureProgram(targets, assigned);
  const runs = contiguous.map((group, buffer) => ({ leaves: group.map((x) => leaves.indexOf(x)), buffer }));
  return { ...program, runs };
}

const count = (program: Program, name: string): number =>
  program.calls.filter(({ kernel }) => kernel.name === name).length;

/** Packs, plans and checks. */
function planned(program: Program) {
  const packed = packProgram(program);
  const lowered = lowerProgram(packed, caps);
  expect(misplaced(lowered)).to.deep.equal([]);
  const plan = planProgram(lowered);
  checkPlan(lowered, plan);
  return { packed, lowered, plan };
}

describe("packing", () => {
  it("makes one step of many, with contiguous gradients, in place", () => {
    const state = step();
    const { packed, plan } = planned(
      programOf(adam(state, computed()), [state.parameters, ...state.moments]),
    );
    expect(count(packed, "adamStep")).to.equal(1);
    expect(packed.packs).to.have.length(4);
    expect(
      packed.calls.find(({ kernel }) => kernel.name === "adamStep")!.call.inputs["gradient"]!.shape,
    ).to.deep.equal([64 + 16 + 64]);
    expect(packed.assignments).to.have.length(3);
    expect(plan.copies).to.deep.equal([]);
    expect(plan.slots).to.deep.equal([4 * (64 + 16 + 64 + 48)].map((bytes) => Math.ceil(bytes / 256) * 256));
  });

  it("changes nothing where nothing is contiguous", () => {
    const program = programOf(adam(step(), computed()), []);
    expect(packProgram(program)).to.equal(program);
  });

  it("cuts where an order differs, and leaves alone what has no neighbour", () => {
    const state = step();
    const [a, b, c] = state.moments[0] as [Tensor, Tensor, Tensor];
    const { packed } = planned(
      programOf(adam(state, computed()), [state.parameters, [c, a, b], state.moments[1]!]),
    );
    expect(count(packed, "adamStep")).to.equal(2);
  });

  it("sums whole packs, and values outside of packs, into the same total", () => {
    const state = step();
    // Leaves a large slot behind, in which the pack and what the sums keep between their passes would both have room.
    const extra = t.exp(t.matmul(leaf(32, 32), leaf(32, 32)).sum([0]));
    const gradients = computed();
    const norm = internal.sumOfSquares(gradients[0]!, extra, gradients[1]!, gradients[2]!);
    const scaled = t.where(
      t.tensor([0, 0, 0, 0, 0, 0, 1, 0], [8], { dtype: "bool" }),
      t.sqrt(norm),
      state.control,
    );
    const { packed } = planned(
      programOf(adam(state, gradients, scaled), [state.parameters, ...state.moments], [norm]),
    );
    expect(count(packed, "adamStep")).to.equal(1);
    expect(count(packed, "sumOfSquares")).to.equal(2);
    const sizes = packed.calls
      .filter(({ kernel }) => kernel.name === "sumOfSquares")
      .map(({ call }) => call.inputs["x"]!.shape);
    expect(sizes).to.deep.equal([[144], [32]]);
    expect(packed.calls.filter(({ kernel }) => kernel.name === "sumOfSquares").at(-1)!.outputs["y"]).to.equal(
      packed.results[0],
    );
  });

  it("packs gradients that are variables themselves, such as sums over a batch's parts", () => {
    const state = step();
    const sums = shapes.map((shape) => leaf(...shape));
    const norm = internal.sumOfSquares(...sums);
    const scaled = t.mul(state.control, norm.reshape([1]));
    const { packed, plan } = planned(
      programOf(adam(state, sums, scaled), [state.parameters, ...state.moments, sums]),
    );
    expect(count(packed, "adamStep")).to.equal(1);
    expect(count(packed, "sumOfSquares")).to.equal(1);
    expect(plan.copies).to.deep.equal([]);
  });

  it("leaves alone a gradient that is a result, one that is used twice, and a next value that is read", () => {
    const result = step();
    const gradients = computed();
    const asResult = packProgram(
      programOf(adam(result, gradients), [result.parameters, ...result.moments], [gradients[1]!]),
    );
    expect(count(asResult, "adamStep")).to.equal(3);

    const twice = step();
    const same = t.exp(leaf(8, 8));
    const tied = packProgram(
      programOf(adam(twice, [same, computed()[1]!, same.reshape([4, 4, 4])]), [
        twice.parameters,
        ...twice.moments,
      ]),
    );
    expect(count(tied, "adamStep")).to.equal(3);

    const read = step();
    const assigned = adam(read, computed());
    const looked = packProgram(
      programOf(assigned, [read.parameters, ...read.moments], [t.exp(assigned[3]!.value)]),
    );
    expect(count(looked, "adamStep")).to.equal(3);
  });

  it("copies at the end where a variable is read after the step", () => {
    const state = step();
    const assigned = adam(state, computed());
    const later = t.exp(state.parameters[1]!);
    const { packed, plan } = planned(programOf(assigned, [state.parameters, ...state.moments], [later]));
    expect(count(packed, "adamStep")).to.equal(1);
    expect(plan.copies).to.have.length(2); // the parameters to where they are stepped, and back
  });

  it("leaves out what a dispatch reads that writes another value of the pack", () => {
    const state = step();
    const first = t.exp(leaf(8, 8));
    const gradients = [first, t.exp(leaf(16)), t.matmul(first, first).reshape([4, 4, 4])];
    const program = programOf(adam(state, gradients), [state.parameters, ...state.moments]);
    const found = misplaced(lowerProgram(packProgram(program), caps));
    expect(found).to.have.length(1);
    const again = packProgram(program, new Set(found));
    expect(count(again, "adamStep")).to.equal(2); // the first parameter by itself
    expect(misplaced(lowerProgram(again, caps))).to.deep.equal([]);
    const lowered = lowerProgram(again, caps);
    checkPlan(lowered, planProgram(lowered));
  });

  it("keeps what is read out of the buffer of a variable that is written, though it is another variable's", () => {
    const [a, b] = [leaf(8), leaf(8)];
    const { plan } = planned(programOf([{ leaf: b, value: t.exp(a) }], [[a, b]]));
    expect(plan.copies).to.have.length(1);
    const apart = planned(programOf([{ leaf: b, value: t.exp(a) }], [[a], [b]]));
    expect(apart.plan.copies).to.have.length(0);
  });

  it("writes in place only one of two neighbours where a dispatch reads the one's new value and writes the other's", () => {
    const [a, b] = [leaf(8), leaf(8)];
    const next = t.exp(leaf(8));
    const assigned = [
      { leaf: a, value: next },
      { leaf: b, value: t.add(next, 1) },
    ];
    for (const order of [assigned, assigned.toReversed()]) {
      expect(planned(programOf(order, [[a, b]])).plan.copies).to.have.length(1);
      expect(planned(programOf(order, [[a], [b]])).plan.copies).to.have.length(0);
    }
  });

  it("gives one value to two neighbours by two copies, because nothing is copied within a buffer", () => {
    const [a, b] = [leaf(8), leaf(8)];
    const value = t.exp(leaf(8));
    const assigned = [
      { leaf: a, value },
      { leaf: b, value },
    ];
    expect(planned(programOf(assigned, [[a, b]])).plan.copies).to.have.length(2);
    expect(planned(programOf(assigned, [[a], [b]])).plan.copies).to.have.length(1);
  });
});
