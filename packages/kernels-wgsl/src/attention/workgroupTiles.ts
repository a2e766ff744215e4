/**
 * Flash attention for GPUs. A workgroup owns a few tokens of one head (queries, or keys) and walks over the other side by
 * tiles that its lanes load together into workgroup memory. A token's row of D numbers lies in the registers of one lane, or
 * is split over neighbouring lanes where it is long; these exchange partial logits through workgroup memory.
 */
import { grid, type Pass } from "../kernel.ts";
import { perWorkgroup } from "../reduce/workgroup.ts";
import { ceilDiv } from "../spec.ts";
import {
  type AttentionLayout,
  type AttentionSizes,
  bindingsOf,
  floats,
  loadType,
  type Role,
  rowOf,
  type Side,
  storedType,
  type TileBindings,
} from "./shared.ts";

const lanes = 64;

interface Cut {
  readonly type: string;
  /** Loads in a row of D numbers. */
  readonly columns: number;
  /** Lanes of a row, and the loads that each of them keeps. */
  readonly parts: number;
  readonly loads: number;
  /** Tokens that a workgroup owns, and tokens of the other side in a tile. */
  readonly own: number;
  readonly tile: number;
}

/** Cuts rows so that a lane keeps at most `numbers` of each; tiles fill at most 8 KiB. */
function cutOf(sizes: AttentionSizes, numbers: number): Cut {
  const type = loadType(sizes);
  const width = type === "f32" ? 1 : 4;
  const columns = sizes.dimension / width;
  let parts = 1;
  while (ceilDiv(columns, parts) * width > numbers) parts *= 2;
  const tile = Math.min(32, Math.floor((parts === 1 ? 1024 : 512) / sizes.dimension));
  return { type, columns, parts, loads: ceilDiv(columns, parts), own: lanes / parts, tile };
}

/** `text` for each load of a lane, where it is within the row. */
const perLoad = ({ columns, parts, loads }: Cut, text: string): string =>
  parts * loads === columns
    ? `for (var c = 0u; c < ${loads}u; c++) { ${text} }`
    : `for (var c = 0u; c < ${loads}u && start + c < ${columns}u; c++) { ${text} }`;

/** The place of a lane's load `c` in an own row, and its value. */
const place = ({ rows }: AttentionLayout, role: Role): string => `${rows[role].name}[${role}Row + start + c]`;
const load = (layout: AttentionLayout, role: Role): string => `V(${place(layout, role)})`;

interface Text {
  /** Tile arrays in workgroup memory and the operands that fill them. */
  readonly tiles: Readonly<Record<string, Role>>;
  /** What a lane adds up over its loads, as WGSL of two f32: the lane's parts of one or two dot products. */
  readonly products: string;
  /** Once at the start, for every token of a tile (which sees `sums`, the whole dot products), and once at the end. */
  readonly before: string;
  readonly each: string;
  readonly after: string;
}

/**
 * All text sees `image`, `head`, the own `token` (the last one repeated past the end), whether it is `inside`, its first loads
 * by the operand's role (`queryRow`), and `start`, the lane's first load of a row; `products` and `each` also see the tile's
 * token `j` and its first load `near` in the tile arrays; `rowSum(v, lane)` adds up the lanes that share a row.
 */
function pass(
  layout: AttentionLayout,
  side: Side,
  cut: Cut,
  { label, read, write, statistics }: TileBindings,
  text: Text,
): Pass {
  const { type, columns, parts, loads, own, tile } = cut;
  const tokens = `params.${side}`;
  const others = side === "queries" ? "params.keys" : "params.queries";
  const blocks = `((${tokens} + ${own - 1}u) / ${own}u)`;
  // Own queries see no key behind the last of them; own keys are seen by no query before the first of them.
  const { causal } = layout;
  const begin = causal && side === "keys" ? `item % ${blocks} * ${own}u / ${tile}u * ${tile}u` : "0u";
  const end = causal && side === "queries" ? `min(${others}, item % ${blocks} * ${own}u + ${own}u)` : others;
  const names = Object.entries(text.tiles);
  const firstLoad = (role: Role, token: string): string =>
    `${rowOf(layout.rows[role], "image", token, "head")} * params.columns`;
  const ownRows = [...read, ...write]
    .filter((role) => layout.rows[role].side === side)
    .map((role) => `  let ${role}Row = ${firstLoad(role, "token")};`)
    .join("\n");
  const fills = names
    .map(
      ([name, role]) =>
        `${name}[e] = V(${layout.rows[role].name}[${firstLoad(role, "other")} + e % ${columns}u]);`,
    )
    .join("\n      ");
  const exchange =
    parts === 1
      ? `fn rowSum(v: f32, lane: u32) -> f32 { return v; }`
      : /* wgsl */ `
var<workgroup> parts: array<vec2f, ${tile * lanes}>;
fn gather(slot: u32, lane: u32) -> vec2f {
  var sum = vec2f();
  for (var p = 0u; p < ${parts}u; p++) { sum += parts[slot * ${lanes}u + lane / ${parts}u * ${parts}u + p]; }
  return sum;
}
fn rowSum(v: f32, lane: u32) -> f32 {
  parts[lane] = vec2f(v, 0.0);
  workgroupBarrier();
  let sum = gather(0u, lane).x;
  workgroupBarrier();
  return sum;
}`;
  const product = type === "f32" ? "a * b" : "dot(a, b)";
  const partial = (store: string) => /* wgsl */ `
      let near = j * ${columns}u + start;
      ${text.products}
      ${store}`;
  const walk =
    parts === 1
      ? /* wgsl */ `
    for (var j = 0u; j < count; j++) {${partial("")}${text.each}
    }`
      : /* wgsl */ `
    for (var j = 0u; j < count; j++) {${partial(`parts[j * ${lanes}u + lane] = sums;`)}
    }
    workgroupBarrier();
    for (var j = 0u; j < count; j++) {
      let near = j * ${columns}u + start;
      let sums = gather(j, lane);
      ${text.each}
    }`;
  const body = /* wgsl */ `
  let head = item / ${blocks} % params.heads;
  let image = item / (${blocks} * params.heads);
  let place = item % ${blocks} * ${own}u + lane / ${parts}u;
  let inside = place < ${tokens};
  let token = min(place, ${tokens} - 1u);
${ownRows}
  let start = lane % ${parts}u * ${loads}u;
${text.before}
  for (var first = ${begin}; first < ${end}; first += ${tile}u) {
    let count = min(${tile}u, ${end} - first);
    workgroupBarrier();
    for (var e = lane; e < count * ${columns}u; e += ${lanes}u) {
      let other = first + e / ${columns}u;
      ${fills}
    }
    workgroupBarrier();
${walk}
  }
${text.after}`;
  return {
    ...(label ? { label } : {}),
    read: { ...bindingsOf(layout, read), ...floats(statistics.read) },
    write: { ...bindingsOf(layout, write), ...floats(statistics.write) },
    workgroups: grid(layout.images * layout.heads * ceilDiv(layout[side], own)),
    code: `alias V = ${type};
alias Stored = ${storedType(layout)};
fn inner(a: V, b: V) -> f32 { return ${product}; }
${names.map(([name]) => `var<workgroup> ${name}: array<V, ${tile * columns}>;`).join("\n")}
${exchange}
${perWorkgroup(lanes, `params.images * params.heads * ${blocks}`, body)}`,
  };
}

/** A logit, or what is taken of it, where the query sees the key. */
const seen = ({ causal }: AttentionLayout, side: Side, value: string): string =>
  causal ? `select(${value}, -1e30, first + j ${side === "queries" ? ">" : "<"} token)` : value;

/** query, key, value → y, logSumExp. Logits are in base 2 throughout. */
export function forwardWorkgroups(layout: AttentionLayout): Pass {
  const cut = cutOf(layout, 64);
  const { loads, parts } = cut;
  return pass(
    layout,
    "queries",
    cut,
    { read: ["query", "key", "value"], write: ["y"], statistics: { write: ["logSumExp"] } },
    {
      tiles: { keys: "key", values: "value" },
      before: /* wgsl */ `
  let factor = params.scale * ${Math.LOG2E};
  var q: array<V, ${loads}>;
  var o: array<V, ${loads}>;
  ${perLoad(cut, `q[c] = ${load(layout, "query")} * factor;`)}
  var top = -1e30;
  var total = 0.0;`,
      products: `var sums = vec2f(); ${perLoad(cut, "sums.x += inner(q[c], keys[near + c]);")}`,
      // Sums are rescaled only when a logit is far above the one they are relative to.
      each: /* wgsl */ `
      let logit = ${seen(layout, "queries", "sums.x")};
      if (logit > top + 16.0) {
        let shrink = exp2(top - logit);
        total *= shrink;
        for (var c = 0u; c < ${loads}u; c++) { o[c] *= shrink; }
        top = logit;
      }
      let weight = exp2(logit - top);
      total += weight;
      ${perLoad(cut, "o[c] += weight * values[near + c];")}`,
      after: /* wgsl */ `
  if (inside) {
    ${perLoad(cut, `${place(layout, "y")} = Stored(o[c] / total);`)}
    if (lane % ${parts}u == 0u) {
      logSumExp[(image * params.heads + head) * params.queries + token] = (top + log2(total)) * ${Math.LN2};
    }
  }`,
    },
  );
}

/** → queryGradient by own queries; leaves δ = Σ dy ∘ y of each in `delta`. */
export function queryGradientWorkgroups(layout: AttentionLayout): Pass {
  const cut = cutOf(layout, 32);
  const { loads, parts } = cut;
  return pass(
    layout,
    "queries",
    cut,
    {
      label: "query",
      read: ["query", "key", "value", "y", "gradient"],
      write: ["queryGradient"],
      statistics: { read: ["logSumExp"], write: ["delta"] },
    },
    {
      tiles: { keys: "key", values: "value" },
      before: /* wgsl */ `
  let statistic = (image * params.heads + head) * params.queries + token;
  let norm = logSumExp[statistic] * ${Math.LOG2E};
  var q: array<V, ${loads}>;
  var g: array<V, ${loads}>;
  var o: array<V, ${loads}>;
  var part = 0.0;
  ${perLoad(
    cut,
    `q[c] = ${load(layout, "query")} * (params.scale * ${Math.LOG2E});
    g[c] = ${load(layout, "gradient")};
    part += inner(g[c], ${load(layout, "y")});`,
  )}
  let mean = rowSum(part, lane);
  if (inside && lane % ${parts}u == 0u) { delta[statistic] = mean; }`,
      products: `var sums = vec2f(); ${perLoad(cut, "sums += vec2f(inner(q[c], keys[near + c]), inner(g[c], values[near + c]));")}`,
      each: /* wgsl */ `
      let slope = exp2(${seen(layout, "queries", "sums.x - norm")}) * (sums.y - mean);
      ${perLoad(cut, "o[c] += slope * keys[near + c];")}`,
      after: /* wgsl */ `
  if (inside) { ${perLoad(cut, `${place(layout, "queryGradient")} = Stored(o[c] * params.scale);`)} }`,
    },
  );
}

/** → keyGradient and valueGradient by own keys; reads `delta`. */
export function keyGradientWorkgroups(layout: AttentionLayout): Pass {
  const cut = cutOf(layout, 32);
  const { loads } = cut;
  return pass(
    layout,
    "keys",
    cut,
    {
      label: "key and value",
      read: ["query", "key", "value", "gradient"],
      write: ["keyGradient", "valueGradient"],
      statistics: { read: ["logSumExp", "delta"] },
    },
    {
      tiles: { queries: "query", gradients: "gradient" },
      before: /* wgsl */ `
  let statistics = (image * params.heads + head) * params.queries;
  var k: array<V, ${loads}>;
  var v: array<V, ${loads}>;
  var a: array<V, ${loads}>;
  var b: array<V, ${loads}>;
  ${perLoad(cut, `k[c] = ${load(layout, "key")} * (params.scale * ${Math.LOG2E}); v[c] = ${load(layout, "value")};`)}`,
      products: `var sums = vec2f(); ${perLoad(cut, "sums += vec2f(inner(k[c], queries[near + c]), inner(v[c], gradients[near + c]));")}`,
      each: /* wgsl */ `
      let statistic = statistics + first + j;
      let weight = exp2(${seen(layout, "keys", `sums.x - logSumExp[statistic] * ${Math.LOG2E}`)});
      let slope = weight * (sums.y - delta[statistic]);
      ${perLoad(cut, "a[c] += slope * queries[near + c]; b[c] += weight * gradients[near + c];")}`,
      after: /* wgsl */ `
  if (inside) {
    ${perLoad(cut, `${place(layout, "keyGradient")} = Stored(a[c] * params.scale); ${place(layout, "valueGradient")} = Stored(b[c]);`)}
  }`,
    },
  );
}
