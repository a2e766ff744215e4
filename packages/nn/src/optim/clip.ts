import { minimum, type Tensor } from "@ddad/tensor";
import { sumOfSquares } from "@ddad/tensor/internal";
import { checkNumbers, checkTensors } from "../arguments.ts";

/** The norm of all gradients together, and the factor that brings it down to the largest allowed. [1] each. */
export interface ClippedNorm {
  /** √(Σ g²) over all gradients. */
  readonly norm: Tensor;
  /** min(1, largest / norm). */
  readonly scale: Tensor;
}

/**
 * Measures the global norm of the gradients, √(Σ g²) over all of them, and gives min(1, largest / norm). The gradients
 * stay as they are: pass `scale` to the optimiser's step as `gradientScale` (Pascanu et al., ICML 2013).
 */
export function clipGradientNorm(gradients: readonly Tensor[], largest: number): ClippedNorm {
  checkTensors("clipGradientNorm", "the gradients", gradients);
  checkNumbers("clipGradientNorm", { largest });
  if (gradients.length === 0) throw new RangeError("clipGradientNorm: there are no gradients.");
  const norm = sumOfSquares(...gradients).sqrt();
  return { norm, scale: clipScale(norm, largest) };
}

/** min(1, largest / norm), [1]. The small number is PyTorch's; it also keeps a norm of zero from dividing. */
export const clipScale = (norm: Tensor, largest: number): Tensor =>
  minimum(norm.add(1e-6).reciprocal().mul(largest), 1);
