/**
 * Products of few rows, such as a linear layer on one vector for each image. Most of a tile would be empty, and there are so few
 * tiles that a GPU is busy only where k is divided, which takes a second pass. Here a workgroup makes all rows of a few columns, so
 * that b is read once, and its threads share k: one dispatch.
 */
import type { Call, Pass, Variant } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv } from "../spec.ts";
import type { EpilogueAttrs } from "./epilogue.ts";
import { type Product, type StoredProduct, type Tile, tileIndices, tilePass, tilesOf } from "./product.ts";
import { storedProduct } from "./variants.ts";

interface FewRowsTile extends Tile {
  /** Rows of y that each thread makes; it makes 4 columns of each. */
  readonly perThread: number;
  /** Threads for different rows, for different k, and for different columns. */
  readonly groups: number;
  readonly down: number;
  readonly across: number;
}

const mostThreads = 256;
const fewestThreads = 64;

/** Threads of a GPU, with workgroup memory to add up what they have. */
function workgroupTile({ rows, columns, quads, aAlong }: Product): FewRowsTile {
  const groups = ceilDiv(rows, 4);
  // Where a is read along its rows, four come at once.
  const perThread = aAlong === "row" ? 4 : ceilDiv(rows, groups);
  let [across, down] = [1, 1];
  while (across < 4 && 4 * across < columns) across *= 2;
  while (down < quads && 2 * down * across * groups <= mostThreads) down *= 2;
  while (down * across * groups < fewestThreads && 4 * across < columns) across *= 2;
  return { perThread, groups, down, across, rows: perThread * groups, columns: 4 * across };
}

/** Threads of software adapters, without workgroup memory and barriers: each has all rows and all of k. */
function threadTile({ rows, aAlong }: Product): FewRowsTile {
  const whole = aAlong === "row" ? 4 * ceilDiv(rows, 4) : rows;
  return { perThread: whole, groups: 1, down: 1, across: 8, rows: whole, columns: 32 };
}

/** Rows up to which a GPU waits for b rather than for arithmetic, and those up to which a register tile takes longer. */
const mostRows = { workgroup: 16, thread: 2 };
/** Quads of k that a workgroup reads in the time of a dispatch, and workgroups from which on there is no need to divide k. */
const mostQuads = 1024;
const enoughWorkgroups = 128;

/** A workgroup and, on software adapters, a thread for a few columns. */
export function fewRowsVariants<
  I extends string,
  O extends string,
  A extends EpilogueAttrs,
  P extends string,
>(productOf: (call: Call<I, O, A, P>) => Product): Variant<I, O, A, P>[] {
  const variant = (
    name: string,
    software: boolean,
    most: number,
    tileFor: (product: Product) => FewRowsTile,
  ): Variant<I, O, A, P> => ({
    name,
    when({ adapterClass }, call) {
      const product = productOf(call);
      if ((adapterClass === "software") !== software || product.rows > most) return false;
      return product.quads <= mostQuads || tilesOf(product, tileFor(product)) >= enoughWorkgroups;
    },
    passes(_caps, call) {
      const product = storedProduct(call, productOf);
      return [fewRowsPass(product, tileFor(product))];
    },
  });
  return [
    variant("few rows", false, mostRows.workgroup, workgroupTile),
    variant("few rows, whole columns a thread", true, mostRows.thread, threadTile),
  ];
}

/** WGSL that adds the products of one quad of k to `y0`, `y1`, …: four columns of each of a thread's rows. */
function multiply({ aAlong, bAlong }: Product, perThread: number): string {
  const loadA =
    aAlong === "k"
      ? repeat(perThread, (q) => `let a${q} = loadA(slice, row${q}, quad);`)
      : repeat(perThread / 4, (i) =>
          repeat(4, (j) => `let a${i}_${j} = loadA(slice, row${4 * i}, quad, ${j}u);`),
        );
  const loadB = repeat(4, (j) =>
    bAlong === "k"
      ? `let w${j} = loadB(slice, min(column + ${j}u, columns - 1u), quad);`
      : `let w${j} = loadB(slice, min(column, (columns - 1u) / 4u * 4u), quad, ${j}u);`,
  );
  const a = (q: number, j: number) => (aAlong === "k" ? `a${q}[${j}]` : `a${q >> 2}_${j}[${q & 3}]`);
  const b = (j: number) => (bAlong === "k" ? `vec4f(w0[${j}], w1[${j}], w2[${j}], w3[${j}])` : `w${j}`);
  const add = repeat(
    4,
    (j) => `let b${j} = ${b(j)}; ${repeat(perThread, (q) => `y${q} += ${a(q, j)} * b${j};`, " ")}`,
  );
  return [loadA, loadB, add].join("\n  ");
}

function fewRowsPass(product: StoredProduct, tile: FewRowsTile): Pass {
  const { perThread, groups, down, across } = tile;
  const threads = groups * down * across;
  const last = product.aAlong === "k" ? "rows - 1u" : "(rows - 1u) / 4u * 4u";
  // Neighbouring threads read neighbouring addresses of b.
  const [phase, quadColumn] =
    product.bAlong === "k"
      ? [`thread % ${down}u`, `thread / ${down}u % ${across}u`]
      : [`thread / ${across}u % ${down}u`, `thread % ${across}u`];
  const sum = (q: number, beyond = "") => `sums[${q * threads}u + place${beyond}]`;
  const storeSums = /* wgsl */ `
  let place = (rowGroup * ${down}u + phase) * ${across}u + quadColumn;
  ${repeat(perThread, (q) => `${sum(q)} = y${q};`)}
  workgroupBarrier();
  for (var half = ${down / 2}u; half > 0u; half /= 2u) {
    if (phase < half) {
      ${repeat(perThread, (q) => `${sum(q)} += ${sum(q, ` + half * ${across}u`)};`)}
    }
    workgroupBarrier();
  }
  for (var q = phase; q < ${perThread}u; q += ${down}u) {
    store(slice, split, ownRow + q, column, sums[q * ${threads}u + place - phase * ${across}u]);
  }`;
  const storeOwn = `\n  ${repeat(perThread, (q) => `store(slice, split, ownRow + ${q}u, column, y${q});`)}`;
  return tilePass(
    product,
    tile,
    1,
    /* wgsl */ `
${down > 1 ? `var<workgroup> sums: array<vec4f, ${threads * perThread}>;` : ""}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {${tileIndices(product, tile, 1)}
  let phase = ${phase};
  let quadColumn = ${quadColumn};
  let rowGroup = thread / ${down * across}u;
  let column = firstColumn + quadColumn * 4u;
  let ownRow = firstRow + rowGroup * ${perThread}u;
  ${repeat(perThread, (q) => `let row${q} = rowOf(slice, min(ownRow + ${q}u, ${last}));`)}
  ${repeat(perThread, (q) => `var y${q} = vec4f();`)}
  for (var quad = firstQuad + phase; quad < lastQuad; quad += ${down}u) {
  ${multiply(product, perThread)}
  }${down > 1 ? storeSums : storeOwn}
}`,
  );
}
