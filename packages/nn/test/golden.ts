/** Weights and inputs of the reference cases: a counter-based formula, so that no file has to hold them. */
import { readFileSync } from "node:fs";
import type { Tensor } from "@ddad/tensor";
import { entry, type NpzArray } from "../../tensor/test/shared.ts";
import { type Module, slotOf } from "../src/module.ts";
import { elements, type StateDict, type StateEntry, torchShape } from "../src/stateDict.ts";

/** One entry of a network's state dict as PyTorch lists it. */
export interface LayoutEntry {
  readonly k: number;
  readonly name: string;
  readonly shape: number[];
  readonly dtype: string;
}

export interface NetworkLayout {
  readonly parameters: number;
  readonly entries: LayoutEntry[];
}

export const readLayout = (path: string): NetworkLayout => JSON.parse(readFileSync(path, "utf8"));

export const readNames = (path: string): string[] => JSON.parse(readFileSync(path, "utf8"));

/** `count` hashed numbers of stream `stream`, each u in [-1, 1) mapped by `map`. */
export function formula(stream: number, count: number, map = (u: number): number => u): Float32Array {
  const offset = Math.imul(stream, 0x9e3779b9);
  return Float32Array.from({ length: count }, (_, i) => {
    let x = (i + offset) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    return map((x >>> 8) / 2 ** 23 - 1);
  });
}

/** The formula's weights of a network: its entries are counted in the order of the state. */
export function formulaWeights(net: Module, seed: number): StateDict {
  const state = [...net.namedState()];
  return new Map(
    state.map(([name, variable], k): [string, StateEntry] => {
      if (name.endsWith("num_batches_tracked")) {
        return [name, { shape: [], dtype: "i64", data: new BigInt64Array(1) }];
      }
      const shape = torchShape(slotOf(variable).layout, variable.shape);
      const data = formula(1000 * seed + k, elements(shape), formulaScale(name, shape));
      return [name, { shape, dtype: "f32", data }];
    }),
  );
}

/** What the formula makes of u in [-1, 1) for an entry of this name and shape. */
function formulaScale(name: string, shape: readonly number[]): (u: number) => number {
  const fan = elements(shape.slice(1));
  if (name.endsWith("running_mean")) return (u) => 0.1 * u;
  if (name.endsWith("running_var")) return (u) => 1 + 0.5 * u;
  if (shape.length >= 2) return (u) => Math.sqrt(3 / fan) * u;
  if (name.endsWith("bias")) return (u) => 0.1 * u;
  if (name.endsWith("bn3.weight")) return (u) => 0.2 + 0.05 * u;
  return (u) => 1 + 0.25 * u;
}

/** [N, C, H, W] → [N, H, W, C] */
export function channelsLast(values: ArrayLike<number>, shape: readonly number[]): Float32Array {
  const [n, c, h, w] = shape as [number, number, number, number];
  const moved = new Float32Array(values.length);
  for (let image = 0, to = 0; image < n; image++) {
    for (let pixel = 0; pixel < h * w; pixel++) {
      for (let channel = 0; channel < c; channel++) {
        moved[to++] = values[(image * c + channel) * h * w + pixel]!;
      }
    }
  }
  return moved;
}

/** [N, H, W, C] → [N, C, H, W]; `shape` is the shape of the input. */
export function channelsFirst(values: ArrayLike<number>, shape: readonly number[]): Float32Array {
  const [n, h, w, c] = shape as [number, number, number, number];
  return channelsLast(values, [n, h * w, c, 1]);
}

/** Largest |a − b| relative to the largest |b|. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values cannot be compared with ${b.length}.`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    if (!Number.isFinite(a[i])) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return difference / largest;
}

/** ‖a − b‖ / ‖b‖ */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values cannot be compared with ${b.length}.`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

export const norm = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0));

/**
 * Largest difference of an image tensor [N, H, W, C] from a summary of the reference (samples of [N, C, H, W]), relative to
 * the largest value of the whole reference; infinite where the shapes differ.
 */
export async function differenceFromSummary(
  got: Tensor,
  arrays: Map<string, NpzArray>,
  key: string,
): Promise<number> {
  const [n, h, w, c] = got.shape;
  if (entry(arrays, `${key}|shape`, Int32Array).data.join() !== [n, c, h, w].join())
    return Number.POSITIVE_INFINITY;
  const values = channelsFirst(await got.data(), got.shape);
  const samples = entry(arrays, `${key}|val`, Float32Array).data;
  const largest = entry(arrays, `${key}|stats`, Float64Array).data[6]!;
  return entry(arrays, `${key}|idx`, Int32Array).data.reduce((worst, at, j) => {
    const difference = Math.abs(values[at]! - samples[j]!) / largest;
    return difference <= worst ? worst : difference; // NaN counts as worst
  }, 0);
}
