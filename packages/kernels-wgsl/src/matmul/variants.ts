/** The variants of every matrix-product kernel: each tiling with its heuristic tile, then its other tiles and degrees of split-K. */
import type { Call, Capabilities, Pass, Variant } from "../kernel.ts";
import { spec, type TensorSpec } from "../spec.ts";
import { type EpilogueAttrs, epilogueCode } from "./epilogue.ts";
import { type Product, type StoredProduct, type Tile, totalPass } from "./product.ts";
import {
  registerTiling,
  type SplitK,
  splitsFor,
  subgroupMatrixTiling,
  type Tiling,
  workgroupTiling,
} from "./tilings.ts";

/** The pass of a product that is one part of a larger kernel, k not split. */
export function productPass(caps: Capabilities, product: StoredProduct): Pass {
  const whole = <T extends Tile>(tiling: Tiling<T>): Pass =>
    tiling.pass(caps, product, tiling.tileFor(caps, product), 1);
  if (subgroupMatrixTiling.admits!(caps, product)) return whole(subgroupMatrixTiling);
  return registerTiling.admits!(caps, product) ? whole(registerTiling) : whole(workgroupTiling);
}

/** The product of a call, and what is stored of it. */
export function storedProduct<I extends string, O extends string, A extends EpilogueAttrs, P extends string>(
  call: Call<I, O, A, P>,
  productOf: (call: Call<I, O, A, P>) => Product,
): StoredProduct {
  const product = productOf(call);
  const output = call.outputs[product.output as O];
  // One store covers one group of columns only.
  const epilogue = epilogueCode(call, spec([product.columns], output.dtype));
  return { ...product, outputType: output.dtype, epilogue };
}

/** How a product is cut: a tile of y for each workgroup, and the number of parts of k. */
interface Cut<T extends Tile> {
  readonly tile: T;
  readonly splits: number;
}

/** Degrees of split-K to measure, with the suffix of the variant's name. The first is the tiling's own. */
const splitKs: readonly [suffix: string, of: (own: SplitK) => SplitK][] = [
  ["", (own) => own],
  [", no split-K", () => ({ workgroups: 1, quads: 1 })],
  [", more split-K", ({ workgroups, quads }) => ({ workgroups: 4 * workgroups, quads: quads / 2 })],
];

export function productVariants<
  I extends string,
  O extends string,
  A extends EpilogueAttrs,
  P extends string,
>(plainProductOf: (call: Call<I, O, A, P>) => Product): Variant<I, O, A, P>[] {
  const productOf = (call: Call<I, O, A, P>): StoredProduct => storedProduct(call, plainProductOf);
  const variant = <T extends Tile>(
    name: string,
    tiling: Tiling<T>,
    cut: (caps: Capabilities, product: Product) => Cut<T>,
  ): Variant<I, O, A, P> => ({
    name,
    scratch(caps, call): Record<string, TensorSpec> {
      const product = plainProductOf(call);
      const { splits } = cut(caps, product);
      return splits === 1 ? {} : { partial: spec([splits, product.outputRows, product.columns]) };
    },
    passes(caps, call) {
      const product = productOf(call);
      const { tile, splits } = cut(caps, product);
      const pass = tiling.pass(caps, product, tile, splits);
      return splits === 1 ? [pass] : [pass, totalPass(product, splits)];
    },
  });

  /** The tiling with its heuristic tile and split-K. */
  const usual = <T extends Tile>(tiling: Tiling<T>): Variant<I, O, A, P> => ({
    ...variant(tiling.name, tiling, usualCut(tiling)),
    ...(tiling.admits && { when: (caps, call) => tiling.admits!(caps, plainProductOf(call)) }),
  });

  /** Its other tiles and degrees of split-K, each admitted where it differs from all before it. */
  const measured = <T extends Tile>(tiling: Tiling<T>): Variant<I, O, A, P>[] =>
    Object.entries(tiling.candidates).flatMap(([label, tileOf]) =>
      splitKs.map(([suffix], index) => {
        const cutBy = (caps: Capabilities, product: Product, choice: number): Cut<T> => {
          const tile = tileOf(caps);
          return { tile, splits: splitsFor(product, tile, splitKs[choice]![1](tiling.splitK)) };
        };
        return {
          ...variant(`${tiling.name} ${label}${suffix}`, tiling, (caps, product) =>
            cutBy(caps, product, index),
          ),
          when(caps, call) {
            const product = plainProductOf(call);
            if (tiling.admits && !tiling.admits(caps, product)) return false;
            const cut = cutBy(caps, product, index);
            const others = splitKs.slice(0, index).map((_, earlier) => cutBy(caps, product, earlier));
            return (
              tiling.fits(caps, product, cut.tile) &&
              ![usualCut(tiling)(caps, product), ...others].some((other) => sameCut(cut, other))
            );
          },
        };
      }),
    );

  return [
    usual(subgroupMatrixTiling),
    usual(registerTiling),
    usual(workgroupTiling),
    ...measured(subgroupMatrixTiling),
    ...measured(registerTiling),
    ...measured(workgroupTiling),
  ];
}

const usualCut =
  <T extends Tile>(tiling: Tiling<T>) =>
  (caps: Capabilities, product: Product): Cut<T> => {
    const tile = tiling.tileFor(caps, product);
    return { tile, splits: splitsFor(product, tile, tiling.splitK) };
  };

const sameCut = <T extends Tile>(a: Cut<T>, b: Cut<T>): boolean =>
  a.splits === b.splits && JSON.stringify(a.tile) === JSON.stringify(b.tile);
