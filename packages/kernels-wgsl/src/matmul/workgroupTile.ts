/**
 * Products on GPUs: a workgroup makes one tile of y; pieces of a and b pass through workgroup memory, so that each is read
 * from storage once per tile. While a piece is multiplied, the next one is already on its way into registers.
 */
import type { Pass } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv } from "../spec.ts";
import { type Product, type StoredProduct, type Tile, tileIndices, tilePass } from "./product.ts";

export interface WorkgroupTile extends Tile {
  /** Rows of y that each thread makes, a multiple of 4; it makes 4 columns of each. */
  readonly perThread: number;
}

/** Quads of k in a piece. */
const depth = 4;
/** Vectors between two quads of a in workgroup memory beyond the rows: threads that write together meet no bank twice. */
const padding = 2;

/** Threads of a workgroup. */
export const workgroupTileThreads = ({ rows, columns, perThread }: WorkgroupTile): number =>
  (columns / 4) * (rows / perThread);

/** Bytes of workgroup memory that a tile needs. */
export const workgroupTileBytes = ({ aAlong }: Product, { rows, columns }: WorkgroupTile): number =>
  16 * depth * (rows + (aAlong === "k" ? padding : 0) + columns);

export function workgroupTilePass(product: StoredProduct, tile: WorkgroupTile, splits: number): Pass {
  const across = tile.columns / 4;
  const down = tile.rows / tile.perThread;
  const threads = workgroupTileThreads(tile);
  const alongK = { a: product.aAlong === "k", b: product.bAlong === "k" };
  const aStride = alongK.a ? tile.rows + padding : tile.rows / 4;
  const aVectors = depth * tile.rows;
  const bVectors = depth * tile.columns;
  const [aLoads, bLoads] = [ceilDiv(aVectors, threads), ceilDiv(bVectors, threads)];
  const guarded = (vectors: number, index: string, line: string) =>
    vectors % threads === 0 ? line : `if (${index} < ${vectors}u) { ${line} }`;

  // Vector v of a piece: neighbouring threads read neighbouring addresses of storage.
  const lineOf = (i: number) => `let line${i} = thread + ${i * threads}u;`;
  const aQuad = (i: number) => (alongK.a ? `line${i} % ${depth}u` : `line${i} / ${tile.rows}u`);
  const aRow = (i: number) =>
    alongK.a
      ? `min(firstRow + line${i} / ${depth}u, rows - 1u)`
      : `min(firstRow + line${i} % ${tile.rows / 4}u * 4u, (rows - 1u) / 4u * 4u)`;
  const aLane = (i: number) => (alongK.a ? "" : `, line${i} / ${tile.rows / 4}u % 4u`);
  const aPlace = (i: number) =>
    alongK.a ? `line${i} % ${depth}u * ${aStride}u + line${i} / ${depth}u` : `line${i}`;
  // Along k, the four columns of a thread lie `across` vectors apart, so that neighbours read neighbouring vectors.
  const bQuad = (i: number) => `line${i} / ${tile.columns}u`;
  const bColumn = (i: number) =>
    alongK.b
      ? `min(firstColumn + line${i} % ${across}u * 4u + line${i} / ${across}u % 4u, columns - 1u)`
      : `min(firstColumn + line${i} % ${across}u * 4u, (columns - 1u) / 4u * 4u)`;
  const bLane = (i: number) => (alongK.b ? "" : `, line${i} / ${across}u % 4u`);
  const load = (from: string) => `
    ${repeat(aLoads, (i) => `a${i} = vec4f(); if (${from} + ${aQuad(i)} < lastQuad) { a${i} = loadA(slice, row${i}, ${from} + ${aQuad(i)}${aLane(i)}); }`)}
    ${repeat(bLoads, (i) => `b${i} = vec4f(); if (${from} + ${bQuad(i)} < lastQuad) { b${i} = loadB(slice, ${bColumn(i)}, ${from} + ${bQuad(i)}${bLane(i)}); }`)}`;

  // Within a thread: u holds its rows of a, v_j its four columns of b at k = 4·quad + j.
  const owned = alongK.a ? tile.perThread : tile.perThread / 4;
  const u = (row: number, j: number) => (alongK.a ? `u${row}[${j}]` : `u${row >> 2}_${j}[${row & 3}]`);
  const readA = repeat(owned, (i) =>
    alongK.a
      ? `let u${i} = aPiece[q * ${aStride}u + threadRow + ${i * down}u];`
      : repeat(
          4,
          (j) => `let u${i}_${j} = aPiece[(q * 4u + ${j}u) * ${aStride}u + threadRow + ${i * down}u];`,
        ),
  );
  const readB = `${repeat(4, (j) => `let w${j} = bPiece[(q * 4u + ${j}u) * ${across}u + threadColumn];`)}
    ${repeat(4, (j) => `let v${j} = ${alongK.b ? `vec4f(w0[${j}], w1[${j}], w2[${j}], w3[${j}])` : `w${j}`};`)}`;
  const multiply = repeat(4, (j) => repeat(tile.perThread, (row) => `y${row} += ${u(row, j)} * v${j};`));
  const rowOf = (row: number) =>
    alongK.a
      ? `firstRow + threadRow + ${row * down}u`
      : `firstRow + (threadRow + ${(row >> 2) * down}u) * 4u + ${row & 3}u`;
  return tilePass(
    product,
    tile,
    splits,
    /* wgsl */ `
var<workgroup> aPiece: array<vec4f, ${alongK.a ? depth * aStride : aVectors}>;
var<workgroup> bPiece: array<vec4f, ${bVectors}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {${tileIndices(product, tile, splits)}
    let threadColumn = thread % ${across}u;
    let threadRow = thread / ${across}u;
    ${repeat(Math.max(aLoads, bLoads), lineOf)}
    ${repeat(aLoads, (i) => `let row${i} = rowOf(slice, ${aRow(i)});\n    var a${i}: vec4f;`)}
    ${repeat(bLoads, (i) => `var b${i}: vec4f;`)}
    ${repeat(tile.perThread, (row) => `var y${row} = vec4f();`)}
    ${load("firstQuad")}
  for (var quad = firstQuad; quad < lastQuad; quad += ${depth}u) {
    ${repeat(aLoads, (i) => guarded(aVectors, `line${i}`, `aPiece[${aPlace(i)}] = a${i};`))}
    ${repeat(bLoads, (i) => guarded(bVectors, `line${i}`, `bPiece[line${i}] = b${i};`))}
    workgroupBarrier();
    let next = quad + ${depth}u;${load("next")}
    for (var q = 0u; q < ${depth}u; q++) {
    ${readA}
    ${readB}
    ${multiply}
    }
    workgroupBarrier();
  }
    ${repeat(tile.perThread, (row) => `store(slice, split, ${rowOf(row)}, firstColumn + threadColumn * 4u, y${row});`)}
}`,
  );
}
