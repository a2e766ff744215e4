/**
 * Products by the matrix unit of a subgroup: as in `workgroupTile.ts` a workgroup makes one tile of y from pieces of a and b in
 * workgroup memory, but they are f16 there, and each subgroup multiplies whole matrices of them, summing in f32.
 */
import type { Pass, SubgroupMatrix } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv } from "../spec.ts";
import { entryPoint, matrixUnit } from "./matrixUnit.ts";
import { type StoredProduct, type Tile, tileIndices, tilePass } from "./product.ts";

/** A tile and how its subgroups share it. */
export interface SubgroupMatrixTile extends Tile {
  /** Subgroups from top to bottom, and from left to right. */
  readonly down: number;
  readonly across: number;
}

/** Quads of k in a piece: 32 k, a multiple of what every known unit takes. */
const depth = 8;
/** Elements between two rows of a piece beyond its own, so that they do not all begin in the same memory banks. */
const padding = 8;

/** How many of a subgroup's results, of `wide` contiguous ones, are written at once: fewer barriers against more memory. */
const matricesTogether = (wide: number): number => (wide % 2 === 0 ? 2 : 1);

/** Bytes of workgroup memory that a tile needs. */
export function workgroupBytes(
  { rows, columns, down, across }: SubgroupMatrixTile,
  { m, n }: SubgroupMatrix,
): number {
  const pieces = rows * (4 * depth + padding) + 4 * depth * (columns + padding);
  return 2 * pieces + 4 * down * across * m * n * matricesTogether(columns / across / n);
}

export function subgroupMatrixTilePass(
  product: StoredProduct,
  tile: SubgroupMatrixTile,
  sizes: SubgroupMatrix,
  splits: number,
): Pass {
  const { m, n, k, lanes } = sizes;
  const { rows, columns, down, across } = tile;
  const threads = down * across * lanes;
  const a = { name: "aPiece", stride: 4 * depth + padding };
  const b = { name: "bPiece", stride: columns + padding };
  const unit = matrixUnit(sizes, a, b);
  const { component } = unit;
  // Matrices of y that each subgroup makes.
  const tall = rows / down / m;
  const wide = columns / across / n;
  const alongK = { a: product.aAlong === "k", b: product.bAlong === "k" };
  const aVectors = depth * rows;
  const bVectors = depth * columns;
  const [aLoads, bLoads] = [ceilDiv(aVectors, threads), ceilDiv(bVectors, threads)];
  const guarded = (vectors: number, index: string, line: string) =>
    vectors % threads === 0 ? line : `if (${index} < ${vectors}u) { ${line} }`;

  // Vector v of a piece: neighbouring threads read neighbouring addresses of storage.
  const aQuad = (i: number) => (alongK.a ? `line${i} % ${depth}u` : `line${i} / ${rows}u`);
  const aRow = (i: number) => (alongK.a ? `line${i} / ${depth}u` : `line${i} % ${rows / 4}u * 4u`);
  const aClamped = (i: number) =>
    `min(firstRow + ${aRow(i)}, ${alongK.a ? "rows - 1u" : "(rows - 1u) / 4u * 4u"})`;
  // Which of the four k of a quad, where a vector lies along the other axis.
  const aStep = (i: number) => `line${i} / ${rows / 4}u % 4u`;
  const aLane = (i: number) => (alongK.a ? "" : `, ${aStep(i)}`);
  const bQuad = (i: number) => `line${i} / ${columns}u`;
  const bColumn = (i: number) => (alongK.b ? `line${i} % ${columns}u` : `line${i} % ${columns / 4}u * 4u`);
  const bClamped = (i: number) =>
    `min(firstColumn + ${bColumn(i)}, ${alongK.b ? "columns - 1u" : "(columns - 1u) / 4u * 4u"})`;
  const bStep = (i: number) => `line${i} / ${columns / 4}u % 4u`;
  const bLane = (i: number) => (alongK.b ? "" : `, ${bStep(i)}`);
  const load = (from: string) => `
    ${repeat(aLoads, (i) => `a${i} = vec4f(); if (${from} + ${aQuad(i)} < lastQuad) { a${i} = loadA(slice, row${i}, ${from} + ${aQuad(i)}${aLane(i)}); }`)}
    ${repeat(bLoads, (i) => `b${i} = vec4f(); if (${from} + ${bQuad(i)} < lastQuad) { b${i} = loadB(slice, ${bClamped(i)}, ${from} + ${bQuad(i)}${bLane(i)}); }`)}`;

  /** Four elements to `first`, `first + step`, …. */
  const put = (piece: string, first: string, step: number, value: string) =>
    `{ let first = ${first}; ${repeat(4, (c) => `${piece}[first + ${c * step}u] = ${component}(${value}[${c}]);`, " ")} }`;
  const putA = (i: number) =>
    alongK.a
      ? put("aPiece", `${aRow(i)} * ${a.stride}u + ${aQuad(i)} * 4u`, 1, `a${i}`)
      : put("aPiece", `${aRow(i)} * ${a.stride}u + ${aQuad(i)} * 4u + ${aStep(i)}`, a.stride, `a${i}`);
  const putB = (i: number) =>
    alongK.b
      ? put("bPiece", `${bQuad(i)} * ${4 * b.stride}u + ${bColumn(i)}`, b.stride, `b${i}`)
      : put("bPiece", `(${bQuad(i)} * 4u + ${bStep(i)}) * ${b.stride}u + ${bColumn(i)}`, 1, `b${i}`);

  const each = (line: (i: number, j: number) => string) =>
    repeat(tall, (i) => repeat(wide, (j) => line(i, j)));
  const multiply = `
      ${repeat(tall, (i) => `let left${i} = ${unit.left(`(subgroupRow + ${i * m}u) * ${a.stride}u + k`)};`)}
      ${repeat(wide, (j) => `let right${j} = ${unit.right(`k * ${b.stride}u + subgroupColumn + ${j * n}u`)};`)}
      ${each((i, j) => `y${i}_${j} = ${unit.multiplyAdd(`left${i}`, `right${j}`, `y${i}_${j}`)};`)}`;
  /** Results of `together` contiguous matrices leave through workgroup memory, where any thread can read them. */
  const together = matricesTogether(wide);
  const area = m * n * together;
  const write = (i: number, group: number) => `
    ${repeat(together, (j) => unit.store("results", `subgroup * ${area}u + ${j * m * n}u`, `y${i}_${group * together + j}`))}
    workgroupBarrier();
    for (var v = lane; v < ${area / 4}u; v += ${lanes}u) {
      let place = subgroup * ${area}u + v * 4u;
      let column = v / ${(m * n) / 4}u * ${n}u + v % ${n / 4}u * 4u;
      store(slice, split, firstRow + subgroupRow + ${i * m}u + v / ${n / 4}u % ${m}u, firstColumn + subgroupColumn + ${group * together * n}u + column,
        vec4f(results[place], results[place + 1u], results[place + 2u], results[place + 3u]));
    }
    workgroupBarrier();`;
  return tilePass(
    product,
    tile,
    splits,
    /* wgsl */ `
var<workgroup> aPiece: array<${component}, ${rows * a.stride}>;
var<workgroup> bPiece: array<${component}, ${4 * depth * b.stride}>;
var<workgroup> results: array<f32, ${down * across * area}>;
${unit.declarations}
${entryPoint(sizes, threads)}
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {${tileIndices(product, tile, splits)}
    let subgroup = thread / ${lanes}u;
    let lane = thread % ${lanes}u;
    let subgroupRow = subgroup / ${across}u * ${rows / down}u;
    let subgroupColumn = subgroup % ${across}u * ${columns / across}u;
    ${repeat(Math.max(aLoads, bLoads), (i) => `let line${i} = thread + ${i * threads}u;`)}
    ${repeat(aLoads, (i) => `let row${i} = rowOf(slice, ${aClamped(i)});\n    var a${i}: vec4f;`)}
    ${repeat(bLoads, (i) => `var b${i}: vec4f;`)}
    ${each((i, j) => `var y${i}_${j} = ${unit.zero};`)}
    ${load("firstQuad")}
  for (var quad = firstQuad; quad < lastQuad; quad += ${depth}u) {
    ${repeat(aLoads, (i) => guarded(aVectors, `line${i}`, putA(i)))}
    ${repeat(bLoads, (i) => guarded(bVectors, `line${i}`, putB(i)))}
    workgroupBarrier();
    let next = quad + ${depth}u;${load("next")}
    for (var k = 0u; k < ${4 * depth}u; k += ${k}u) {${multiply}
    }
    workgroupBarrier();
  }${repeat(tall, (i) => repeat(wide / together, (group) => write(i, group)))}
}`,
  );
}
