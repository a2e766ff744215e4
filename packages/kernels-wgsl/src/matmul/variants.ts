/** The variants of every kernel that is a matrix product, and how they choose tiles and splits. */
import type { Call, Capabilities, Pass, SubgroupMatrix, Variant } from "../kernel.ts";
import { ceilDiv, spec, type TensorSpec } from "../spec.ts";
import { type EpilogueAttrs, epilogueCode } from "./epilogue.ts";
import { type Product, type StoredProduct, type Tile, tilesOf, totalPass } from "./product.ts";
import { fixedSubgroup, type RegisterTile, registerTilePass } from "./registerTile.ts";
import { type SubgroupMatrixTile, subgroupMatrixTilePass, workgroupBytes } from "./subgroupMatrixTile.ts";
import { type WorkgroupTile, workgroupTilePass } from "./workgroupTile.ts";

/** 32 × 32 where there is enough of y, less where it is smaller than that. */
function registerTileFor(lanes: number, product: StoredProduct): RegisterTile {
  const perLane = product.aAlong === "row" ? 4 : Math.min(4, ceilDiv(product.rows, lanes));
  const groups = Math.min(4, ceilDiv(product.columns, lanes));
  return { lanes, perLane, groups, rows: lanes * perLane, columns: lanes * groups };
}

/** Parts of k, so that at least `wanted` workgroups run, each with at least `quads` quads of k. */
const splitsFor = (product: Product, tile: Tile, wanted: number, quads: number): number =>
  Math.max(1, Math.min(ceilDiv(wanted, tilesOf(product, tile)), Math.floor(product.quads / quads)));

interface Plan {
  readonly splits: number;
  readonly pass: Pass;
}

const planRegister = ({ subgroupSizes }: Capabilities, product: StoredProduct): Plan => {
  const tile = registerTileFor(subgroupSizes[0], product);
  const splits = splitsFor(product, tile, 8, 64);
  return { splits, pass: registerTilePass(product, tile, splits) };
};

const workgroupTiles = {
  large: { rows: 64, columns: 64, perThread: 8 },
  small: { rows: 32, columns: 32, perThread: 4 },
  narrow: { rows: 64, columns: 16, perThread: 4 },
  flat: { rows: 16, columns: 64, perThread: 4 },
} satisfies Record<string, WorkgroupTile>;

/** The large tile reads least, but only where it leaves enough workgroups to fill a GPU. */
function workgroupTileFor(product: StoredProduct): WorkgroupTile {
  const { large, small, narrow, flat } = workgroupTiles;
  if (product.columns <= 16) return narrow;
  if (product.rows <= 16) return flat;
  return product.rows > 32 && product.columns > 32 && tilesOf(product, large) >= 64 ? large : small;
}

const planWorkgroup = (_caps: Capabilities, product: StoredProduct): Plan => {
  const tile = workgroupTileFor(product);
  const splits = splitsFor(product, tile, 128, 32);
  return { splits, pass: workgroupTilePass(product, tile, splits) };
};

const subgroupMatrixTiles = {
  large: { rows: 128, columns: 128, down: 4, across: 2 },
  small: { rows: 64, columns: 64, down: 2, across: 2 },
  narrow: { rows: 128, columns: 32, down: 4, across: 1 },
  flat: { rows: 32, columns: 128, down: 1, across: 4 },
  /** Compiles quickly on a CPU. */
  emulated: { rows: 32, columns: 32, down: 2, across: 2 },
} satisfies Record<string, SubgroupMatrixTile>;

function subgroupMatrixTileFor(product: Product, { emulated }: SubgroupMatrix): SubgroupMatrixTile {
  const { large, small, narrow, flat } = subgroupMatrixTiles;
  if (emulated) return subgroupMatrixTiles.emulated;
  if (product.columns <= 32) return narrow;
  if (product.rows <= 32) return flat;
  return product.rows > 64 && product.columns > 64 && tilesOf(product, large) >= 128 ? large : small;
}

const planSubgroupMatrix = ({ subgroupMatrix }: Capabilities, product: StoredProduct): Plan => {
  const tile = subgroupMatrixTileFor(product, subgroupMatrix!);
  const splits = splitsFor(product, tile, 128, 32);
  return { splits, pass: subgroupMatrixTilePass(product, tile, subgroupMatrix!, splits) };
};

/** Only operands that are f16 already: nothing is rounded that the caller did not round. */
function fitsSubgroupMatrix(caps: Capabilities, product: StoredProduct): boolean {
  const sizes = caps.subgroupMatrix;
  if (!sizes || !Object.values(product.read).every((elements) => elements.includes("f16"))) return false;
  const tile = subgroupMatrixTileFor(product, sizes);
  return (
    tile.down * tile.across * sizes.lanes <= caps.maxInvocations &&
    workgroupBytes(tile, sizes) <= caps.workgroupMemory
  );
}

/** The pass of a product that is one part of a larger kernel: f32, k not split. */
export const productPass = (caps: Capabilities, product: StoredProduct): Pass =>
  fixedSubgroup(caps) > 0 && caps.adapterClass === "software"
    ? registerTilePass(product, registerTileFor(caps.subgroupSizes[0], product), 1)
    : workgroupTilePass(product, workgroupTileFor(product), 1);

export function productVariants<
  I extends string,
  O extends string,
  A extends EpilogueAttrs,
  P extends string,
>(plainProductOf: (call: Call<I, O, A, P>) => Product): Variant<I, O, A, P>[] {
  const productOf = (call: Call<I, O, A, P>): StoredProduct => {
    const product = plainProductOf(call);
    const output = call.outputs[product.output as O];
    return { ...product, outputType: output.dtype, epilogue: epilogueCode(call, output) };
  };
  const variant = (
    name: string,
    plan: (caps: Capabilities, product: StoredProduct) => Plan,
  ): Variant<I, O, A, P> => ({
    name,
    scratch(caps, call): Record<string, TensorSpec> {
      const product = productOf(call);
      const { splits } = plan(caps, product);
      return splits === 1 ? {} : { partial: spec([splits, product.outputRows, product.columns]) };
    },
    passes(caps, call) {
      const product = productOf(call);
      const { splits, pass } = plan(caps, product);
      return splits === 1 ? [pass] : [pass, totalPass(product, splits)];
    },
  });
  return [
    {
      ...variant("subgroup matrix", planSubgroupMatrix),
      when: (caps, call) => fitsSubgroupMatrix(caps, productOf(call)),
    },
    {
      ...variant("register tile", planRegister),
      when: (caps) => caps.adapterClass === "software" && fixedSubgroup(caps) > 0,
    },
    variant("workgroup tile", planWorkgroup),
  ];
}
