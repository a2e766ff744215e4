/**
 * Flash attention for GPUs. A workgroup owns a few tokens of one head (queries, or keys) and walks over the other side by
 * tiles that its lanes load together into workgroup memory. A token's row of D numbers lies in the registers of one lane, or
 * is shared out over neighbouring lanes where it is long; those exchange their parts of the logits through workgroup memory.
 */
import { grid, type Pass } from "../kernel.ts";
import { perWorkgroup } from "../reduce/workgroup.ts";
import { ceilDiv } from "../spec.ts";
import { type AttentionSizes, loadType } from "./shared.ts";

const lanes = 64;

interface Cut {
  readonly type: "f32" | "vec4<f32>";
  /** Loads in a row of D numbers. */
  readonly columns: number;
  /** Lanes that share a row, and the loads each of them keeps. */
  readonly parts: number;
  readonly share: number;
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
  return { type, columns, parts, share: ceilDiv(columns, parts), own: lanes / parts, tile };
}

/** Flat index of the first load of a token, `tokens` being how many an image has. */
const rowOf = (token: string, tokens: string): string =>
  `((image * ${tokens} + ${token}) * params.heads + head) * params.columns`;

/** `text` for each load of a lane's share, where it is within the row. */
const perLoad = ({ columns, parts, share }: Cut, text: string): string =>
  parts * share === columns
    ? `for (var c = 0u; c < ${share}u; c++) { ${text} }`
    : `for (var c = 0u; c < ${share}u && start + c < ${columns}u; c++) { ${text} }`;

interface Text {
  /** Tile arrays in workgroup memory and the tensors that fill them. */
  readonly tiles: Readonly<Record<string, string>>;
  /** What a lane adds up over its share, as WGSL of two f32: the lane's parts of one or two dot products. */
  readonly products: string;
  /** Once at the start, for every token of a tile (which sees `sums`, the whole dot products), and once at the end. */
  readonly before: string;
  readonly each: string;
  readonly after: string;
}

/**
 * All text sees `image`, `head`, the own `token` (the last one repeated past the end), whether it is `inside`, its first load
 * `at`, and `start`, the lane's first load of a row; `products` and `each` also see the tile's token `j` and its first load
 * `near` in the tile arrays; `rowSum(v, lane)` adds up the lanes that share a row.
 */
function pass(
  sizes: AttentionSizes,
  side: "queries" | "keys",
  cut: Cut,
  bindings: Pick<Pass, "label" | "read" | "write">,
  text: Text,
): Pass {
  const { type, columns, parts, share, own, tile } = cut;
  const tokens = `params.${side}`;
  const others = side === "queries" ? "params.keys" : "params.queries";
  const blocks = `((${tokens} + ${own - 1}u) / ${own}u)`;
  const names = Object.entries(text.tiles);
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
  let at = ${rowOf("token", tokens)};
  let start = lane % ${parts}u * ${share}u;
${text.before}
  for (var first = 0u; first < ${others}; first += ${tile}u) {
    let count = min(${tile}u, ${others} - first);
    workgroupBarrier();
    for (var e = lane; e < count * ${columns}u; e += ${lanes}u) {
      let origin = ${rowOf(`(first + e / ${columns}u)`, others)} + e % ${columns}u;
      ${names.map(([name, source]) => `${name}[e] = ${source}[origin];`).join(" ")}
    }
    workgroupBarrier();
${walk}
  }
${text.after}`;
  return {
    ...bindings,
    workgroups: grid(sizes.images * sizes.heads * ceilDiv(sizes[side], own)),
    code: `alias V = ${type};
fn inner(a: V, b: V) -> f32 { return ${product}; }
${names.map(([name]) => `var<workgroup> ${name}: array<V, ${tile * columns}>;`).join("\n")}
${exchange}
${perWorkgroup(lanes, `params.images * params.heads * ${blocks}`, body)}`,
  };
}

/** query, key, value → y, logSumExp. Logits are in base 2 throughout. */
export function forwardWorkgroups(sizes: AttentionSizes): Pass {
  const cut = cutOf(sizes, 64);
  const { type, share, parts } = cut;
  return pass(
    sizes,
    "queries",
    cut,
    { read: { query: type, key: type, value: type }, write: { y: type, logSumExp: "f32" } },
    {
      tiles: { keys: "key", values: "value" },
      before: /* wgsl */ `
  let factor = params.scale * ${Math.LOG2E};
  var q: array<V, ${share}>;
  var o: array<V, ${share}>;
  ${perLoad(cut, "q[c] = query[at + start + c] * factor;")}
  var top = -1e30;
  var total = 0.0;`,
      products: `var sums = vec2f(); ${perLoad(cut, "sums.x += inner(q[c], keys[near + c]);")}`,
      // Sums are rescaled only when a logit is far above the one they are relative to.
      each: /* wgsl */ `
      if (sums.x > top + 16.0) {
        let shrink = exp2(top - sums.x);
        total *= shrink;
        for (var c = 0u; c < ${share}u; c++) { o[c] *= shrink; }
        top = sums.x;
      }
      let weight = exp2(sums.x - top);
      total += weight;
      ${perLoad(cut, "o[c] += weight * values[near + c];")}`,
      after: /* wgsl */ `
  if (inside) {
    ${perLoad(cut, "y[at + start + c] = o[c] / total;")}
    if (lane % ${parts}u == 0u) {
      logSumExp[(image * params.heads + head) * params.queries + token] = (top + log2(total)) * ${Math.LN2};
    }
  }`,
    },
  );
}

/** → queryGradient by own queries; leaves δ = Σ dy ∘ y of each in `delta`. */
export function queryGradientWorkgroups(sizes: AttentionSizes): Pass {
  const cut = cutOf(sizes, 32);
  const { type, share, parts } = cut;
  return pass(
    sizes,
    "queries",
    cut,
    {
      label: "query",
      read: { query: type, key: type, value: type, y: type, logSumExp: "f32", gradient: type },
      write: { queryGradient: type, delta: "f32" },
    },
    {
      tiles: { keys: "key", values: "value" },
      before: /* wgsl */ `
  let statistic = (image * params.heads + head) * params.queries + token;
  let norm = logSumExp[statistic] * ${Math.LOG2E};
  var q: array<V, ${share}>;
  var g: array<V, ${share}>;
  var o: array<V, ${share}>;
  var part = 0.0;
  ${perLoad(
    cut,
    `q[c] = query[at + start + c] * (params.scale * ${Math.LOG2E});
    g[c] = gradient[at + start + c];
    part += inner(g[c], y[at + start + c]);`,
  )}
  let mean = rowSum(part, lane);
  if (inside && lane % ${parts}u == 0u) { delta[statistic] = mean; }`,
      products: `var sums = vec2f(); ${perLoad(cut, "sums += vec2f(inner(q[c], keys[near + c]), inner(g[c], values[near + c]));")}`,
      each: /* wgsl */ `
      let slope = exp2(sums.x - norm) * (sums.y - mean);
      ${perLoad(cut, "o[c] += slope * keys[near + c];")}`,
      after: /* wgsl */ `
  if (inside) { ${perLoad(cut, "queryGradient[at + start + c] = o[c] * params.scale;")} }`,
    },
  );
}

/** → keyGradient and valueGradient by own keys; reads `delta`. */
export function keyGradientWorkgroups(sizes: AttentionSizes): Pass {
  const cut = cutOf(sizes, 32);
  const { type, share } = cut;
  return pass(
    sizes,
    "keys",
    cut,
    {
      label: "key and value",
      read: { query: type, key: type, value: type, logSumExp: "f32", gradient: type, delta: "f32" },
      write: { keyGradient: type, valueGradient: type },
    },
    {
      tiles: { queries: "query", gradients: "gradient" },
      before: /* wgsl */ `
  let statistics = (image * params.heads + head) * params.queries;
  var k: array<V, ${share}>;
  var v: array<V, ${share}>;
  var a: array<V, ${share}>;
  var b: array<V, ${share}>;
  ${perLoad(cut, `k[c] = key[at + start + c] * (params.scale * ${Math.LOG2E}); v[c] = value[at + start + c];`)}`,
      products: `var sums = vec2f(); ${perLoad(cut, "sums += vec2f(inner(k[c], queries[near + c]), inner(v[c], gradients[near + c]));")}`,
      each: /* wgsl */ `
      let statistic = statistics + first + j;
      let weight = exp2(sums.x - logSumExp[statistic] * ${Math.LOG2E});
      let slope = weight * (sums.y - delta[statistic]);
      ${perLoad(cut, "a[c] += slope * queries[near + c]; b[c] += weight * gradients[near + c];")}`,
      after: /* wgsl */ `
  if (inside) {
    ${perLoad(cut, "keyGradient[at + start + c] = a[c] * params.scale; valueGradient[at + start + c] = b[c];")}
  }`,
    },
  );
}
