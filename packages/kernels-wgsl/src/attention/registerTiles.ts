/**
 * Flash attention without workgroup memory, for adapters on which barriers are expensive. A thread owns four tokens (queries, or
 * keys) and walks over the other side in blocks of eight: a tile of 4 × 8 logits lives in registers and sums over D like a
 * matrix product, so that a number once loaded serves several products. Results accumulate in the outputs themselves,
 * because rows of D numbers do not fit in registers. The loops over D are not unrolled: unrolling takes minutes to compile.
 */
import { type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv } from "../spec.ts";
import {
  type AttentionLayout,
  bindingsOf,
  floats,
  loadType,
  type Role,
  rowOf,
  type Side,
  type TileBindings,
} from "./shared.ts";

const own = 4;
const block = 8;
const workgroupSize = 32;

/** Sums that lie in the outputs must be f32. */
export const fitsTiles = ({ adapterClass }: Capabilities, { dtype }: AttentionLayout): boolean =>
  adapterClass === "software" && dtype === "f32";

/**
 * One thread per image, head and four own tokens. `before`, `each` (once per block of the other side) and `after` see `image`,
 * `head`, the own tokens' `token0`…, `inside0`…, and an operand's first loads by its role: `query0`… of the own tokens, and in
 * `each` `key0`… of the block's.
 */
function pass(
  layout: AttentionLayout,
  side: Side,
  { label, read, write, statistics }: TileBindings,
  text: { before: string; each: string; after: string },
): Pass {
  const tokens = `params.${side}`;
  const others = side === "queries" ? "params.keys" : "params.queries";
  // Own queries see no key behind the last of them; own keys are seen by no query before the first of them.
  const firstOther = layout.causal && side === "keys" ? `i % blocks * ${own}u / ${block}u * ${block}u` : "0u";
  const end = layout.causal && side === "queries" ? `min(${others}, i % blocks * ${own}u + ${own}u)` : others;
  const type = loadType(layout);
  const product = type === "f32" ? "a * b" : "dot(a, b)";
  const roles = [...read, ...write];
  const ofSide = (own: boolean) => roles.filter((role) => (layout.rows[role].side === side) === own);
  const firstLoads = (own: boolean, index: number, token: string): string =>
    ofSide(own)
      .map(
        (role) =>
          `  let ${role}${index} = ${rowOf(layout.rows[role], "image", token, "head")} * params.columns;`,
      )
      .join("\n");
  const code = /* wgsl */ `
  let blocks = (${tokens} + ${own - 1}u) / ${own}u;
  let head = i / blocks % params.heads;
  let image = i / (blocks * params.heads);
  if (image >= params.images) { return; }
${repeat(
  own,
  (r) => `  let token${r} = min(i % blocks * ${own}u + ${r}u, ${tokens} - 1u);
  let inside${r} = i % blocks * ${own}u + ${r}u < ${tokens};
${firstLoads(true, r, `token${r}`)}`,
)}
${text.before}
  for (var first = ${firstOther}; first < ${end}; first += ${block}u) {
${repeat(block, (j) => firstLoads(false, j, `min(first + ${j}u, ${others} - 1u)`))}
${text.each}
  }
${text.after}`;
  return {
    ...(label ? { label } : {}),
    read: { ...bindingsOf(layout, read), ...floats(statistics.read) },
    write: { ...bindingsOf(layout, write), ...floats(statistics.write) },
    workgroups: grid(ceilDiv(layout.images * layout.heads * ceilDiv(layout[side], own), workgroupSize)),
    code: `alias V = ${type};
fn inner(a: V, b: V) -> f32 { return ${product}; }
${perThread(workgroupSize, code)}`,
  };
}

/** The exponent of a weight of an own token `row` and token `j` of the block: none where the one does not see the other. */
const exponent = ({ causal }: AttentionLayout, side: Side, row: number, j: number, value: string): string =>
  causal ? `select(${value}, -1e30, first + ${j}u ${side === "queries" ? ">" : "<"} token${row})` : value;

/** Text that is repeated for every row of a tile, with the operands where the layout has them. */
function tileText({ rows }: AttentionLayout) {
  /** The load `c` of a row. */
  const load = (role: Role, index: number): string => `${rows[role].name}[${role}${index} + c]`;

  /** Declares the tile `name{row}_{j}` = Σ over D of left (an own row) times right (a row of the block). */
  const products = (name: string, left: Role, right: Role): string => /* wgsl */ `
${repeat(own, (r) => `    ${repeat(block, (j) => `var ${name}${r}_${j} = 0.0;`, " ")}`)}
    for (var c = 0u; c < params.columns; c++) {
${repeat(own, (r) => `      let a${r} = ${load(left, r)};`)}
${repeat(block, (j) => `      let b${j} = ${load(right, j)};`)}
${repeat(own, (r) => repeat(block, (j) => `      ${name}${r}_${j} += inner(a${r}, b${j});`))}
    }`;

  /** Adds tile × rows of the block to the own rows of each output: `sums` are [output, tile, source, factor of the old]. */
  const accumulate = (...sums: [Role, string, Role, ((row: number) => string)?][]): string =>
    sums
      .map(
        ([output, tile, source, factor]) => /* wgsl */ `
    for (var c = 0u; c < params.columns; c++) {
${repeat(block, (j) => `      let b${j} = ${load(source, j)};`)}
${repeat(own, (r) => {
  const old = `${load(output, r)}${factor ? ` * ${factor(r)}` : ""}`;
  return `      if (inside${r}) { ${load(output, r)} = ${old} + ${repeat(block, (j) => `${tile}${r}_${j} * b${j}`, " + ")}; }`;
})}
    }`,
      )
      .join("");

  /** Own rows of an output times `factor`, or set to zero. */
  const finish = (output: Role, value: (row: number) => string): string =>
    repeat(
      own,
      (r) => `  if (inside${r}) {
    for (var c = 0u; c < params.columns; c++) { ${load(output, r)} = ${value(r)}; }
  }`,
    );
  return {
    load,
    products,
    accumulate,
    clear: (output: Role) => finish(output, () => "V(0.0)"),
    scaled: (output: Role, factor: (row: number) => string) =>
      finish(output, (r) => `${load(output, r)} * ${factor(r)}`),
  };
}

/** query, key, value → y, logSumExp. Logits are in base 2 throughout. */
export function forwardTiles(layout: AttentionLayout): Pass {
  const { products, accumulate, clear, scaled } = tileText(layout);
  return pass(
    layout,
    "queries",
    { read: ["query", "key", "value"], write: ["y"], statistics: { write: ["logSumExp"] } },
    {
      before: /* wgsl */ `
  let factor = params.scale * ${Math.LOG2E};
${repeat(own, (r) => `  var top${r} = -1e30;\n  var sum${r} = 0.0;`)}
${clear("y")}`,
      each: /* wgsl */ `${products("p", "query", "key")}
${repeat(block, (j) => `    let hidden${j} = select(0.0, -1e30, first + ${j}u >= params.keys);`)}
${repeat(
  own,
  (r) => /* wgsl */ `
${repeat(block, (j) => `    p${r}_${j} = ${exponent(layout, "queries", r, j, `p${r}_${j} * factor + hidden${j}`)};`)}
    let next${r} = max(top${r}, ${Array.from({ length: block }, (_, j) => `p${r}_${j}`).reduce((a, b) => `max(${a}, ${b})`)});
    let shrink${r} = exp2(top${r} - next${r});
    top${r} = next${r};
${repeat(block, (j) => `    p${r}_${j} = exp2(p${r}_${j} - top${r});`)}
    sum${r} = sum${r} * shrink${r} + ${repeat(block, (j) => `p${r}_${j}`, " + ")};`,
)}
${accumulate(["y", "p", "value", (r) => `shrink${r}`])}`,
      after: `${scaled("y", (r) => `(1.0 / sum${r})`)}
${repeat(
  own,
  (r) =>
    `  if (inside${r}) { logSumExp[(image * params.heads + head) * params.queries + token${r}] = (top${r} + log2(sum${r})) * ${Math.LN2}; }`,
)}`,
    },
  );
}

/** → queryGradient by own queries; leaves δ = Σ dy ∘ y of each in `delta`. */
export function queryGradientTiles(layout: AttentionLayout): Pass {
  const { load, products, accumulate, clear, scaled } = tileText(layout);
  return pass(
    layout,
    "queries",
    {
      label: "query",
      read: ["query", "key", "value", "y", "gradient"],
      write: ["queryGradient"],
      statistics: { read: ["logSumExp"], write: ["delta"] },
    },
    {
      before: /* wgsl */ `
  let factor = params.scale * ${Math.LOG2E};
${repeat(
  own,
  (r) => /* wgsl */ `
  let statistic${r} = (image * params.heads + head) * params.queries + token${r};
  let norm${r} = logSumExp[statistic${r}] * ${Math.LOG2E};
  var delta${r} = 0.0;
  for (var c = 0u; c < params.columns; c++) { delta${r} += inner(${load("gradient", r)}, ${load("y", r)}); }
  if (inside${r}) { delta[statistic${r}] = delta${r}; }`,
)}
${clear("queryGradient")}`,
      each: /* wgsl */ `${products("p", "query", "key")}
${products("d", "gradient", "value")}
${repeat(block, (j) => `    let hidden${j} = select(0.0, -1e30, first + ${j}u >= params.keys);`)}
${repeat(own, (r) => repeat(block, (j) => `    d${r}_${j} = exp2(${exponent(layout, "queries", r, j, `p${r}_${j} * factor + hidden${j} - norm${r}`)}) * (d${r}_${j} - delta${r});`))}
${accumulate(["queryGradient", "d", "key"])}`,
      after: scaled("queryGradient", () => "params.scale"),
    },
  );
}

/** → keyGradient and valueGradient by own keys; reads `delta`. */
export function keyGradientTiles(layout: AttentionLayout): Pass {
  const { products, accumulate, clear, scaled } = tileText(layout);
  return pass(
    layout,
    "keys",
    {
      label: "key and value",
      read: ["query", "key", "value", "gradient"],
      write: ["keyGradient", "valueGradient"],
      statistics: { read: ["logSumExp", "delta"] },
    },
    {
      before: /* wgsl */ `
  let factor = params.scale * ${Math.LOG2E};
  let statistics = (image * params.heads + head) * params.queries;
${clear("keyGradient")}
${clear("valueGradient")}`,
      each: /* wgsl */ `${products("p", "key", "query")}
${products("d", "value", "gradient")}
${repeat(
  block,
  (j) => /* wgsl */ `
    let statistic${j} = statistics + min(first + ${j}u, params.queries - 1u);
    let norm${j} = select(logSumExp[statistic${j}] * ${Math.LOG2E}, 1e30, first + ${j}u >= params.queries);
    let mean${j} = delta[statistic${j}];`,
)}
${repeat(own, (r) =>
  repeat(
    block,
    (j) => `    p${r}_${j} = exp2(${exponent(layout, "keys", r, j, `p${r}_${j} * factor - norm${j}`)});
    d${r}_${j} = p${r}_${j} * (d${r}_${j} - mean${j});`,
  ),
)}
${accumulate(["valueGradient", "p", "gradient"], ["keyGradient", "d", "query"])}`,
      after: scaled("keyGradient", () => "params.scale"),
    },
  );
}
