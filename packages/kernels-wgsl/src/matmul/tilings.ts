/** The tilings of a product: the tile that each picks by heuristic, and others that may be faster on some adapters. */
import type { Capabilities, Pass, SubgroupMatrix } from "../kernel.ts";
import { ceilDiv } from "../spec.ts";
import { matrixUnitOf } from "./matrixUnit.ts";
import { type Product, type StoredProduct, type Tile, tilesOf } from "./product.ts";
import { fixedSubgroup, type RegisterTile, registerTilePass } from "./registerTile.ts";
import { type SubgroupMatrixTile, subgroupMatrixTilePass, workgroupBytes } from "./subgroupMatrixTile.ts";
import {
  type WorkgroupTile,
  workgroupTileBytes,
  workgroupTilePass,
  workgroupTileThreads,
} from "./workgroupTile.ts";

/** Split-K: enough parts of k for this many workgroups, each part with at least `quads` quads of k. */
export interface SplitK {
  readonly workgroups: number;
  readonly quads: number;
}

/** One of the ways in which threads share a product. */
export interface Tiling<T extends Tile> {
  readonly name: string;
  /** Whether the adapter can do it and the operands allow it; absent where that is always so. */
  admits?(caps: Capabilities, product: Product): boolean;
  /** The tile that the heuristic picks. */
  tileFor(caps: Capabilities, product: Product): T;
  readonly splitK: SplitK;
  /** Tiles to measure, by name. */
  readonly candidates: Readonly<Record<string, (caps: Capabilities) => T>>;
  /** Whether this candidate is worth measuring; asked only where the tiling is admitted. */
  fits(caps: Capabilities, product: Product, tile: T): boolean;
  pass(caps: Capabilities, product: StoredProduct, tile: T, splits: number): Pass;
}

/** The number of parts of k. */
export const splitsFor = (product: Product, tile: Tile, { workgroups, quads }: SplitK): number =>
  Math.max(1, Math.min(ceilDiv(workgroups, tilesOf(product, tile)), Math.floor(product.quads / quads)));

/** Smaller tiles than this are not made. */
const leastExtent = 16;

/** A tile of which y fills more than half each way. */
const filled = (product: Product, { rows, columns }: Tile): boolean =>
  (rows <= leastExtent || product.rows > rows / 2) &&
  (columns <= leastExtent || product.columns > columns / 2);

const always =
  <T>(tile: T) =>
  (): T =>
    tile;

const registerTileOf = (lanes: number, perLane: number, groups: number): RegisterTile => ({
  lanes,
  perLane,
  groups,
  rows: lanes * perLane,
  columns: lanes * groups,
});

const registerTileBy =
  (perLane: number, groups: number) =>
  ({ subgroupSizes }: Capabilities): RegisterTile =>
    registerTileOf(subgroupSizes[0], perLane, groups);

/** For software adapters, where workgroup memory and barriers cost more than they save. */
export const registerTiling: Tiling<RegisterTile> = {
  name: "register tile",
  admits: (caps) => caps.adapterClass === "software" && fixedSubgroup(caps) > 0,
  /** 32 × 32 where there is enough of y, less where it is smaller than that. */
  tileFor({ subgroupSizes: [lanes] }, product) {
    const perLane = product.aAlong === "row" ? 4 : Math.min(4, Math.max(1, ceilDiv(product.rows, lanes)));
    return registerTileOf(lanes, perLane, Math.min(4, Math.max(1, ceilDiv(product.columns, lanes))));
  },
  splitK: { workgroups: 8, quads: 64 },
  candidates: {
    "of 4×4 a lane": registerTileBy(4, 4),
    "of 4×2 a lane": registerTileBy(4, 2),
    "of 2×4 a lane": registerTileBy(2, 4),
    "of 8×2 a lane": registerTileBy(8, 2),
  },
  fits: (_caps, product, tile) => filled(product, tile) && (product.aAlong === "k" || tile.perLane % 4 === 0),
  pass: (_caps, product, tile, splits) => registerTilePass(product, tile, splits),
};

const workgroupTiles = {
  "64×64": { rows: 64, columns: 64, perThread: 8 },
  "64×64 of 4 rows a thread": { rows: 64, columns: 64, perThread: 4 },
  "32×32": { rows: 32, columns: 32, perThread: 4 },
  "64×32": { rows: 64, columns: 32, perThread: 4 },
  "32×64": { rows: 32, columns: 64, perThread: 4 },
  "64×16": { rows: 64, columns: 16, perThread: 4 },
  "16×64": { rows: 16, columns: 64, perThread: 4 },
  "128×32": { rows: 128, columns: 32, perThread: 8 },
  "128×64": { rows: 128, columns: 64, perThread: 8 },
  "64×128": { rows: 64, columns: 128, perThread: 8 },
  "128×128": { rows: 128, columns: 128, perThread: 16 },
} satisfies Record<string, WorkgroupTile>;

export const workgroupTiling: Tiling<WorkgroupTile> = {
  name: "workgroup tile",
  /** The large tile reads least, but only where it leaves enough workgroups to fill a GPU. */
  tileFor(_caps, product) {
    const [large, small] = [workgroupTiles["64×64"], workgroupTiles["32×32"]];
    if (product.columns <= 16) return workgroupTiles["64×16"];
    if (product.rows <= 16) return workgroupTiles["16×64"];
    return product.rows > 32 && product.columns > 32 && tilesOf(product, large) >= 64 ? large : small;
  },
  splitK: { workgroups: 128, quads: 32 },
  candidates: Object.fromEntries(Object.entries(workgroupTiles).map(([name, tile]) => [name, always(tile)])),
  fits: (caps, product, tile) =>
    caps.adapterClass !== "software" && // where none wins, and each compiles for seconds
    filled(product, tile) &&
    workgroupTileThreads(tile) <= caps.maxInvocations &&
    workgroupTileBytes(product, tile) <= caps.workgroupMemory,
  pass: (_caps, product, tile, splits) => workgroupTilePass(product, tile, splits),
};

const subgroupMatrixTiles = {
  "128×128": { rows: 128, columns: 128, down: 4, across: 2 },
  "128×128 of 4 subgroups": { rows: 128, columns: 128, down: 2, across: 2 },
  "256×64": { rows: 256, columns: 64, down: 4, across: 2 },
  "128×64": { rows: 128, columns: 64, down: 4, across: 2 },
  "64×128": { rows: 64, columns: 128, down: 2, across: 4 },
  "64×64": { rows: 64, columns: 64, down: 2, across: 2 },
  "128×32": { rows: 128, columns: 32, down: 4, across: 1 },
  "32×128": { rows: 32, columns: 128, down: 1, across: 4 },
} satisfies Record<string, SubgroupMatrixTile>;

/** Compiles quickly on a CPU. */
const emulatedTile: SubgroupMatrixTile = { rows: 32, columns: 32, down: 2, across: 2 };

const fitsUnit = (caps: Capabilities, tile: SubgroupMatrixTile, sizes: SubgroupMatrix): boolean =>
  tile.rows % (tile.down * sizes.m) === 0 &&
  tile.columns % (tile.across * sizes.n) === 0 &&
  tile.down * tile.across * sizes.lanes <= caps.maxInvocations &&
  workgroupBytes(tile, sizes) <= caps.workgroupMemory;

export const subgroupMatrixTiling: Tiling<SubgroupMatrixTile> = {
  name: "subgroup matrix",
  /** Only operands that are f16 already: nothing is rounded that the caller did not round. */
  admits(caps, product) {
    const unit = matrixUnitOf(caps);
    if (!unit) return false;
    const allF16 = Object.values(product.read).every((elements) => elements.includes("f16"));
    return allF16 && fitsUnit(caps, this.tileFor(caps, product), unit);
  },
  tileFor({ subgroupMatrix }, product) {
    const [large, small] = [subgroupMatrixTiles["128×128"], subgroupMatrixTiles["64×64"]];
    if (subgroupMatrix!.emulated) return emulatedTile;
    if (product.columns <= 32) return subgroupMatrixTiles["128×32"];
    if (product.rows <= 32) return subgroupMatrixTiles["32×128"];
    return product.rows > 64 && product.columns > 64 && tilesOf(product, large) >= 128 ? large : small;
  },
  splitK: { workgroups: 128, quads: 32 },
  candidates: Object.fromEntries(
    Object.entries(subgroupMatrixTiles).map(([name, tile]) => [name, always(tile)]),
  ),
  fits: (caps, product, tile) => filled(product, tile) && fitsUnit(caps, tile, caps.subgroupMatrix!),
  pass: ({ subgroupMatrix }, product, tile, splits) =>
    subgroupMatrixTilePass(product, tile, subgroupMatrix!, splits),
};
