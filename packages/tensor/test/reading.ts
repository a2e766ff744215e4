/** What tests read of tensors and of promises that fail. */
import type * as t from "@ddad/tensor";
import { expect } from "chai";

/** The elements of each tensor. */
export async function values(...tensors: readonly t.Tensor[]): Promise<number[][]> {
  const read: number[][] = [];
  for (const tensor of tensors) read.push([...(await tensor.data())]);
  return read;
}

/** The error that a promise rejects with. */
export const rejection = async (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.fail("nothing was thrown"),
    (error: Error) => error,
  );

/** Lets what is on its way advance by so many steps of promises. */
export async function ticks(count: number): Promise<void> {
  for (let k = 0; k < count; k++) await undefined;
}
