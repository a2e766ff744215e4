/** The state dict that a network has in PyTorch, known without building it, which would need a device. */
import type { StateEntry } from "../../stateDict.ts";

/** Name → PyTorch's shape, in PyTorch's order. */
export type StateLayout = Map<string, readonly number[]>;

/** The match of a state dict and a layout. */
export interface LayoutMatch {
  /** Names with the right shape. */
  readonly matched: string[];
  /** Names that the dict lacks. */
  readonly missing: string[];
  /** Names of the dict that the layout has not. */
  readonly unknown: string[];
  /** Names with a shape that differs from the layout's. */
  readonly reshaped: string[];
}

/** Compares a state dict with a layout by names and shapes; nothing is loaded. */
export function matchLayout(dict: ReadonlyMap<string, StateEntry>, layout: StateLayout): LayoutMatch {
  const common = [...layout.keys()].filter((name) => dict.has(name));
  const fits = (name: string): boolean => dict.get(name)!.shape.join() === layout.get(name)!.join();
  return {
    matched: common.filter(fits),
    missing: [...layout.keys()].filter((name) => !dict.has(name)),
    unknown: [...dict.keys()].filter((name) => !layout.has(name)),
    reshaped: common.filter((name) => !fits(name)),
  };
}

/** Builds a layout part by part. */
export class LayoutBuilder {
  readonly layout: StateLayout = new Map();

  weight(name: string, ...shape: number[]): void {
    this.layout.set(`${name}.weight`, shape);
  }

  bias(name: string, channels: number): void {
    this.layout.set(`${name}.bias`, [channels]);
  }

  /** A convolution or linear layer, `kernel` being the extents behind inputs, or a norm where there are no inputs. */
  layer(name: string, outputs: number, inputs?: number, kernel: readonly number[] = []): void {
    this.weight(name, outputs, ...(inputs === undefined ? [] : [inputs, ...kernel]));
    this.bias(name, outputs);
  }

  batchNorm(name: string, channels: number): void {
    this.layer(name, channels);
    this.layout.set(`${name}.running_mean`, [channels]);
    this.layout.set(`${name}.running_var`, [channels]);
    this.layout.set(`${name}.num_batches_tracked`, []);
  }
}
