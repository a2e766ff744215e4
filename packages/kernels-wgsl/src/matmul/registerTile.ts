/**
 * Products on software adapters: no workgroup memory, no barriers. A subgroup makes one tile; each lane owns some rows and
 * holds a different piece of b, which the others receive by a shuffle. On a CPU a storage load costs as much as several
 * multiply-adds for each lane, a shuffle costs one instruction for all lanes.
 */
import type { Capabilities, Pass } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv } from "../spec.ts";
import { type StoredProduct, type Tile, tileIndices, tilePass } from "./product.ts";

/** Lanes of a subgroup where the adapter has only one size, else 0. */
export const fixedSubgroup = ({ subgroups, subgroupSizes: [least, most] }: Capabilities): number =>
  subgroups && least === most && least >= 4 ? least : 0;

export interface RegisterTile extends Tile {
  readonly lanes: number;
  /** Rows of each lane. */
  readonly perLane: number;
  /** Column groups of `lanes` columns each. */
  readonly groups: number;
}

export function registerTilePass(product: StoredProduct, tile: RegisterTile, splits: number): Pass {
  const { lanes, perLane, groups } = tile;
  const alongK = product.aAlong === "k";
  const columns = Math.min(tile.columns, product.columns);
  // Rows of a lane are apart by the number of lanes where a is read along k, and four neighbours where along rows.
  const rowOfLane = (q: number) =>
    alongK ? `firstRow + ${q * lanes}u + lane` : `firstRow + (${q >> 2}u * ${lanes}u + lane) * 4u`;
  const owned = alongK ? perLane : perLane / 4;
  const a = (q: number, j: number) => (alongK ? `a${q}[${j}]` : `a${q >> 2}_${j}[${q & 3}]`);
  const loadA = alongK
    ? repeat(owned, (q) => `let a${q} = loadA(slice, row${q}, quad);`)
    : repeat(owned, (q) => repeat(4, (j) => `let a${q}_${j} = loadA(slice, row${q}, quad, ${j}u);`));
  // Where b lies along its columns, lane l holds the column quads l, l + lanes, … of all four k, one k after the other: neighbouring lanes
  // read neighbouring memory. Else it holds column l at all four k.
  const quadsWide = ceilDiv(columns, 4);
  const loadB =
    product.bAlong === "k"
      ? repeat(
          groups,
          (g) => `let b${g} = loadB(slice, min(firstColumn + ${g * lanes}u + lane, columns - 1u), quad);`,
        )
      : repeat(
          ceilDiv(4 * quadsWide, lanes),
          (m) => `let piece${m} = lane + ${m * lanes}u;
  let b${m} = loadB(slice, min(firstColumn + piece${m} % ${quadsWide}u * 4u, (columns - 1u) / 4u * 4u), quad, min(piece${m} / ${quadsWide}u, 3u));`,
        );
  // With four lanes, as SwiftShader has them, a broadcast takes a quarter less of a convolution's time; with lavapipe's eight 4 % more.
  const take = lanes === 4 ? "subgroupBroadcast" : "subgroupShuffle";
  const b = (column: number, j: number) => {
    if (product.bAlong === "k") return `${take}(b${Math.floor(column / lanes)}[${j}], ${column % lanes}u)`;
    const piece = j * quadsWide + Math.floor(column / 4);
    return `${take}(b${Math.floor(piece / lanes)}[${column % 4}], ${piece % lanes}u)`;
  };
  // Column by column, all four k of it: the sums of one column stay in registers meanwhile, where those of a tile do not.
  const multiply = repeat(columns, (c) =>
    repeat(
      4,
      (j) =>
        `{ let value = ${b(c, j)}; ${repeat(perLane, (q) => `y${q}_${c} += value * ${a(q, j)};`, " ")} }`,
    ),
  );
  // One loop with a bound known only at run time: written out, the stores would take most of the compile time.
  const columnQuads = Math.ceil(columns / 4);
  const results = repeat(columnQuads * perLane, (i) => {
    const [c, q] = [Math.floor(i / perLane), i % perLane];
    const values = repeat(4, (j) => (4 * c + j < columns ? `y${q}_${4 * c + j}` : "0.0"), ", ");
    return `results[${i}] = vec4f(${values});`;
  });
  const row = alongK
    ? `firstRow + i % ${perLane}u * ${lanes}u + lane`
    : `firstRow + (i % ${perLane}u / 4u * ${lanes}u + lane) * 4u + i % 4u`;
  return tilePass(
    product,
    tile,
    splits,
    /* wgsl */ `
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(subgroup_invocation_id) lane: u32) {${tileIndices(product, tile, splits)}
  ${repeat(owned, (q) => `let row${q} = rowOf(slice, min(${rowOfLane(alongK ? q : 4 * q)}, ${alongK ? "rows - 1u" : "(rows - 1u) / 4u * 4u"}));`)}
  ${repeat(perLane * columns, (i) => `var y${Math.floor(i / columns)}_${i % columns} = 0.0;`)}
  for (var quad = firstQuad; quad < lastQuad; quad++) {
  ${loadA}
  ${loadB}
  ${multiply}
  }
  var results: array<vec4f, ${columnQuads * perLane}>;
  ${results}
  let count = min((columns - firstColumn + 3u) / 4u, ${columnQuads}u) * ${perLane}u;
  for (var i = 0u; i < count; i++) {
    store(slice, split, ${row}, firstColumn + i / ${perLane}u * 4u, results[i]);
  }
}`,
    true,
  );
}
