/** What a benchmark of layers is made of. */
import { type Config, type ConfigInput, resolveConfig } from "@ddad/ddad";
import type { Capabilities } from "@ddad/kernels-wgsl";
import { HostRandom, type Module, type Tensor, tensor } from "@ddad/nn";

/** Work as people do it, such as a compiled function on its arguments; each call gives new tensors. */
export type Step = () => Promise<readonly Tensor[]>;

/** Networks and what is done with them. */
export interface Made {
  /** One for each name of the family. */
  readonly steps: readonly Step[];
  /** Numbers that are learnt. */
  readonly parameters: number;
  /** Frees the networks. */
  dispose?(): void;
}

/** What decides which cases there are: some sizes are too large for a CPU, and mixed precision needs f16. */
export interface Conditions extends Pick<Capabilities, "adapterClass" | "f16"> {
  /** None of the largest sizes. */
  readonly quick: boolean;
}

/** Cases that share networks, which are made only when one of them is wanted. */
export interface Family {
  readonly names: readonly string[];
  make(): Made | Promise<Made>;
}

/** Where all numbers of the layers come from. */
export const random = new HostRandom(1);

/** Standard normal numbers. */
export const normal = (shape: readonly number[]): Tensor =>
  tensor(
    random.normal(
      shape.reduce((size, extent) => size * extent, 1),
      1,
    ),
    shape,
  );

/** DDAD-S for images of this size, the rest by default. */
export const configOf = (imageSize: number, more: Omit<ConfigInput, "data" | "model">): Config =>
  resolveConfig({ data: { root: ".", imageSize }, model: { variant: "ddad-s" }, ...more });

export const countParameters = (network: Module): number =>
  network.parameters().reduce((sum, { size }) => sum + size, 0);
