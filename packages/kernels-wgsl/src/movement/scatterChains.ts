/**
 * `scatterAdd` for tables of many rows, of which few are named: the indices of one row are linked to a chain, and the first of
 * each chain walks along it. So work grows with the indices, not with the product of indices and rows, and the order of each sum
 * stays that of the indices.
 */

import { gridStride } from "../gridStride.ts";
import type { Capabilities, Pass } from "../kernel.ts";
import type { TensorSpec } from "../spec.ts";
import { rowCode } from "./rows.ts";

/** A sum of rows in units of one or four elements. */
export interface RowSums {
  readonly index: TensorSpec;
  /** Units of a row, and slices in front of the indexed axis. */
  readonly row: number;
  readonly slices: number;
  readonly rows: number;
  readonly terms: number;
  /** WGSL types of a stored unit and of a sum. */
  readonly element: string;
  readonly total: string;
}

/** Below so many steps one pass over everything is faster than three. */
const leastSteps = 2 ** 20;

/** Whether chains take far fewer steps than walking through all indices for each element. */
export function prefersChains({ row, slices, rows, terms }: RowSums): boolean {
  const direct = slices * rows * row * terms;
  return direct >= leastSteps && direct > 4 * (terms * terms + slices * row * (rows + terms));
}

/** The bit of `chain` that marks the first index of a row; the others hold the next one, or the number of terms at the end. */
const firstBit = "0x80000000u";

/** Passes that link the indices (into the scratch tensor `chain`, u32 [terms]), clear the result, and add up. */
export function chainPasses(caps: Capabilities, sums: RowSums): Pass[] {
  const { index, row, slices, rows, terms, element, total } = sums;
  const placeAt = /* wgsl */ `
fn placeAt(k: u32) -> u32 {
    ${rowCode(index, "k", "params.rows")}
    return row;
}
`;
  const link = gridStride(
    caps,
    terms,
    "params.terms",
    /* wgsl */ `
    let row = placeAt(i);
    var next = params.terms;
    for (var k = params.terms; k > i + 1u; k--) {
      if (placeAt(k - 1u) == row) { next = k - 1u; }
    }
    var first = row < params.rows;
    for (var k = 0u; k < i; k++) {
      if (placeAt(k) == row) { first = false; }
    }
    chain[i] = next | select(0u, ${firstBit}, first);`,
  );
  const add = gridStride(
    caps,
    slices * terms * row,
    `${slices * row}u * params.terms`,
    /* wgsl */ `
    let place = i / ${row}u;
    let column = i % ${row}u;
    let slice = place / params.terms;
    let own = place % params.terms;
    if ((chain[own] & ${firstBit}) != 0u) {
      var sum = ${total}(0);
      for (var k = own; k < params.terms; k = chain[k] & ~${firstBit}) {
        sum += ${total}(gradient[(slice * params.terms + k) * ${row}u + column]);
      }
      xGradient[(slice * params.rows + placeAt(own)) * ${row}u + column] = ${element}(sum);
    }`,
  );
  return [
    {
      label: "link",
      read: { index: index.dtype },
      write: { chain: "u32" },
      workgroups: link.workgroups,
      code: placeAt + link.code,
    },
    {
      label: "clear",
      read: {},
      write: { xGradient: element },
      ...gridStride(
        caps,
        slices * rows * row,
        `${slices * row}u * params.rows`,
        `    xGradient[i] = ${element}(0);`,
      ),
    },
    {
      label: "add",
      read: { gradient: element, index: index.dtype, chain: "u32" },
      write: { xGradient: element },
      workgroups: add.workgroups,
      code: placeAt + add.code,
    },
  ];
}
