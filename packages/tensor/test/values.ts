/** Small tensors to test with, and what they must hold. */
import * as t from "@ddad/tensor";
import { expect } from "chai";

/** 0, 1, 2 … under a shape. */
export const range = (...shape: number[]): t.Tensor =>
  t.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => index),
    shape,
  );

/** Whole numbers, a list of them where no shape is given. */
export const i32 = (values: number[], shape = [values.length]): t.Tensor<"i32"> =>
  t.tensor(values, shape, { dtype: "i32" });

/** The shape and exactly these elements. */
export async function expectTensor(got: t.AnyTensor, shape: number[], values: number[]): Promise<void> {
  expect(got.shape).to.deep.equal(shape);
  expect(Array.from(await got.data())).to.deep.equal(values);
}
