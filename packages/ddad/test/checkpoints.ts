/** Checkpoints of a small network as PyTorch saves them, and commands that take them. */
import type { StateDict } from "@ddad/nn";
import type { StateLayout } from "@ddad/nn/internal";
import { expect } from "chai";
import { ddad } from "../../cli/test/commandLine.ts";
import { formula } from "../../nn/test/golden.ts";
import * as pickle from "../../nn/test/pickleFile.ts";

/** A state dict of these shapes, every value another. */
export const fill = (layout: StateLayout): StateDict =>
  new Map(
    [...layout].map(([name, shape], k) => {
      const data = formula(
        k,
        shape.reduce((count, extent) => count * extent, 1),
        (u) => u / 10,
      );
      return [name, { shape, dtype: "f32", data }];
    }),
  );

/** The state dict inside a pickle, its elements in storages. */
export function saved(dict: StateDict): { root: pickle.Part; storages: Record<string, Uint8Array> } {
  const storages: Record<string, Uint8Array> = {};
  const items = [...dict].map(([name, { shape, data }], k) => {
    storages[k] = new Uint8Array(data.buffer as ArrayBuffer);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const storage = pickle.storage(String(k), data.length);
    return [name, pickle.tensor({ storage, shape, strides })] as const;
  });
  return { root: pickle.dict(...items), storages };
}

export const options = {
  imageSize: 16,
  baseChannels: 32,
  channelMultipliers: [1],
  blocksPerLevel: 1,
  attentionSizes: [32],
};
export const settings = ["--set", "data.imageSize=32", "--set", "model.heads=1"];

/** Runs a command that must work, and reads what it printed. */
export async function done<T>(...args: string[]): Promise<T> {
  const { code, output, errors } = await ddad(...args, "--json");
  expect(code, errors).to.equal(0);
  return JSON.parse(output) as T;
}

export async function fails(code: number, sentence: RegExp, ...args: string[]): Promise<void> {
  const outcome = await ddad(...args);
  expect(outcome.code, outcome.errors).to.equal(code);
  expect(outcome.output).to.equal("");
  const sentences = outcome.errors.split("\n").filter((line) => line.startsWith("error: "));
  expect(sentences, outcome.errors).to.have.length(1);
  expect(sentences[0]).to.match(sentence);
}
