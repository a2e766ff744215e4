/**
 * Convolutions of 3×3 taps and stride 1 by F(2×2, 3×3) of Lavin and Gray, "Fast algorithms for convolutional neural networks"
 * (arXiv 1509.09308): `Y = Aᵀ [Σ (G g Gᵀ) ⊙ (Bᵀ d B)] A` makes 2×2 pixels from a tile d of 4×4 with 16 products for each pair of
 * channels, where the convolution itself needs 36. The sums over channels are 16 matrix products. The gradient with respect to the
 * image is the convolution of the output's gradient with the weight turned around, its channels swapped.
 */
import type { Call, Capabilities, Variant } from "../kernel.ts";
import type { EpilogueAttrs } from "../matmul/epilogue.ts";
import type { Product } from "../matmul/product.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { storedProduct } from "../matmul/variants.ts";
import { bytesOf } from "../spec.ts";
import { type Geometry, isPlain } from "./geometry.ts";
import { type Convolution, convolutionOf, scratchOf, tilesOf, winogradPasses } from "./winogradPasses.ts";

/**
 * Bytes of each tensor between the passes, of which those of the tiles and of the products have four times the size of the image
 * that they belong to: the most that every adapter can bind, and the most that the heuristic takes, as it counts in a plan's memory.
 */
const mostBytes = 2 ** 27;
const mostHeuristicBytes = 2 ** 25;

const largestOf = (convolution: Convolution): number =>
  Math.max(...Object.values(scratchOf(convolution)).map(bytesOf));

/** Whether the passes can make it, by vectors of four channels. */
const fits = (g: Geometry, turned: boolean): boolean =>
  g.kernelHeight === 3 &&
  g.kernelWidth === 3 &&
  isPlain(g) &&
  g.top <= 2 &&
  g.left <= 2 &&
  g.inChannels % 4 === 0 &&
  g.outChannels % 4 === 0 &&
  largestOf(convolutionOf(g, turned)) <= mostBytes;

/**
 * Multiply-adds that it must save: about a millisecond on two cores. Its five shaders take two seconds to compile, which many small
 * gains are not worth.
 */
const leastSaving = 2 ** 25;

/**
 * Whether it is clearly faster than the register tile. It saves 20 of 36 multiply-adds for each tile and pair of channels; making
 * the tiles, the results and the weights takes the time of some 600 for each tile and channel of `from`, each tile and channel of `to`,
 * and each pair of channels.
 */
function wins(caps: Capabilities, convolution: Convolution): boolean {
  if (caps.adapterClass !== "software" || fixedSubgroup(caps) === 0) return false;
  if (largestOf(convolution) > mostHeuristicBytes) return false;
  const [from, to, tiles] = [convolution.from.channels, convolution.to.channels, tilesOf(convolution)];
  return 20 * tiles * from * to - 600 * (tiles * from + tiles * to + from * to) > leastSaving;
}

/**
 * The variant where it is known to win, and the same elsewhere, for tuning.
 *
 * @param productOf the same convolution as a matrix product, which names its image and its weight and says how results are stored
 * @param turned whether it is the gradient with respect to the image
 */
export function winogradVariants<
  I extends string,
  O extends string,
  A extends EpilogueAttrs,
  P extends string,
>(
  geometryOf: (call: Call<I, O, A, P>) => Geometry,
  productOf: (call: Call<I, O, A, P>) => Product,
  turned: boolean,
): Record<"usual" | "measured", Variant<I, O, A, P>> {
  const variant = (name: string, usual: boolean): Variant<I, O, A, P> => ({
    name,
    when(caps, call) {
      const g = geometryOf(call);
      return fits(g, turned) && wins(caps, convolutionOf(g, turned)) === usual;
    },
    scratch: (_caps, call) => scratchOf(convolutionOf(geometryOf(call), turned)),
    passes: (caps, call) =>
      winogradPasses(caps, convolutionOf(geometryOf(call), turned), storedProduct(call, productOf)),
  });
  return { usual: variant("Winograd", true), measured: variant("Winograd, autotuned", false) };
}
