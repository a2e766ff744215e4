/** Einsum against plain loops over all labels. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { i32, range } from "./values.ts";

/** Sums products over every combination of labels; `...` is written out as capital letters, from Z backwards. */
async function loops(
  equation: string,
  operands: readonly t.AnyTensor[],
): Promise<{ shape: number[]; y: number[] }> {
  const [left, right] = equation.split("->") as [string, string];
  const terms = left.split(",");
  const data = await Promise.all(operands.map((operand) => operand.data()));
  const extents = new Map<string, number>();
  terms.forEach((term, k) => {
    [...term].forEach((label, axis) => {
      extents.set(label, Math.max(extents.get(label) ?? 0, operands[k]!.shape[axis]!));
    });
  });
  const labels = [...extents.keys()];
  const shape = [...right].map((label) => extents.get(label)!);
  const y = new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0);
  const total = labels.reduce((product, label) => product * extents.get(label)!, 1);
  for (let i = 0; i < total; i++) {
    let rest = i;
    const at = new Map<string, number>();
    for (const label of labels) {
      at.set(label, rest % extents.get(label)!);
      rest = Math.floor(rest / extents.get(label)!);
    }
    const flat = (term: string, sizes: readonly number[]): number =>
      [...term].reduce(
        (sum, label, axis) => sum * sizes[axis]! + (sizes[axis] === 1 ? 0 : at.get(label)!),
        0,
      );
    y[flat(right, shape)]! += terms.reduce(
      (product, term, k) => product * data[k]![flat(term, operands[k]!.shape)]!,
      1,
    );
  }
  return { shape, y };
}

/** What is asked of einsum, the same with every axis named, and the shapes. */
const cases: readonly (readonly [equation: string, full: string, ...shapes: number[][]])[] = [
  ["ij,jk->ik", "ij,jk->ik", [2, 3], [3, 4]],
  ["ij,kj", "ij,kj->ik", [2, 3], [4, 3]],
  ["ji,jk->ki", "ji,jk->ki", [3, 2], [3, 4]],
  ["bhqd,bkhd->bhqk", "bhqd,bkhd->bhqk", [2, 3, 4, 5], [2, 6, 3, 5]],
  ["bij,bkj->bik", "bij,bkj->bik", [2, 3, 4], [2, 5, 4]],
  ["i,j->ij", "i,j->ij", [2], [3]],
  ["i,i", "i,i->", [4], [4]],
  ["i,i->i", "i,i->i", [4], [4]],
  ["ii", "ii->", [3, 3]],
  ["ii->i", "ii->i", [3, 3]],
  ["iij->ji", "iij->ji", [3, 3, 2]],
  ["iji,j->i", "iji,j->i", [3, 2, 3], [2]],
  ["ba", "ba->ab", [2, 3]],
  ["ijk->k", "ijk->k", [2, 3, 4]],
  ["ij,jk,kl->il", "ij,jk,kl->il", [2, 3], [3, 4], [4, 2]],
  ["ab,bc,ca", "ab,bc,ca->", [2, 3], [3, 4], [4, 2]],
  ["...ij,...jk->...ik", "YZij,Zjk->YZik", [2, 3, 4, 2], [3, 2, 3]],
  ["...ij,...jk", "Zij,Zjk->Zik", [1, 2, 3], [4, 3, 2]],
  ["i...->...", "iYZ->YZ", [2, 3, 2]],
  ["i...->i", "iYZ->i", [2, 3, 2]],
  ["ij,ij->j", "ij,ij->j", [1, 3], [4, 3]],
  ["ij,j->i", "ij,j->i", [2, 1], [3]],
  [",ij->ij", ",ij->ij", [], [2, 3]],
  ["ij,kl->", "ij,kl->", [2, 2], [2, 3]],
  ["bn,anm,bm->ba", "bn,anm,bm->ba", [2, 3], [4, 3, 2], [2, 2]],
];

describe("einsum", () => {
  for (const [equation, full, ...shapes] of cases) {
    it(`${equation} of ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")}`, async () => {
      const operands = shapes.map((shape, k) => t.sub(t.mul(range(...shape), 0.25), k));
      const got = t.einsum(equation, ...operands);
      await t.evaluate(got, ...operands);
      const { shape, y } = await loops(full, operands);
      expect(got.shape).to.deep.equal(shape);
      (await got.data()).forEach((value, k) => {
        expect(value, `element ${k}`).to.be.closeTo(y[k]!, 1e-4 * Math.max(1, Math.abs(y[k]!)));
      });
    });
  }

  it("multiplies integers, without rounding", async () => {
    const y = t.einsum("ij,jk->ik", i32([16777217, 1, 2, 3], [2, 2]), i32([1, 0, 0, 1], [2, 2]));
    expect(y.dtype).to.equal("i32");
    expect([...(await y.data())]).to.deep.equal([16777217, 1, 2, 3]);
  });

  it("sums nothing to zeros", async () => {
    const y = t.einsum("ij,jk->ik", t.zeros([2, 0]), t.zeros([0, 3]));
    expect([...(await y.data())]).to.deep.equal([0, 0, 0, 0, 0, 0]);
  });

  it("refuses equations that do not fit", () => {
    const x = range(2, 3);
    const refused = (equation: string, message: RegExp, ...operands: t.Tensor[]): void => {
      expect(() => t.einsum(equation, ...operands), equation).to.throw(t.ShapeError, message);
    };
    refused("ij,jk->ik", /einsum: "ij,jk->ik" has 2 operands but 1 is given/, x);
    refused("i->i", /einsum: "i" names 1 axes, but operand 0 is \[2, 3\]/, x);
    refused("ijk...->i", /einsum: "ijk\.\.\." names 3 or more axes, but operand 0 is \[2, 3\]/, x);
    refused("ij,jk->ik", /einsum: "j" is 3 in one operand and 2 in operand 1 \[2, 3\]/, x, x);
    refused("ii", /einsum: "i" is 2 in one operand and 3 in operand 0/, x);
    refused("ij->ik", /einsum: the result of "ij->ik" has "k", which no operand has/, x);
    refused("ij->ii", /einsum: the result of "ij->ii" has "i" twice/, x);
    refused("i1->i", /einsum: "i1->i" must be made of letters/, x);
    refused("ij->i->j", /einsum: "ij->i->j" must be made of letters/, x);
  });
});
