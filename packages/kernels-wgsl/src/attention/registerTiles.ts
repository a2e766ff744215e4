/**
 * Flash attention without workgroup memory, for adapters on which barriers are dear. A thread owns four tokens (queries, or
 * keys) and walks over the other side in blocks of eight: a tile of 4 × 8 logits lives in registers and sums over D like a
 * matrix product, so that a number once loaded serves several products. Results accumulate in the outputs themselves,
 * because rows of D numbers do not fit in registers. The loops over D are not unrolled: it makes compiling them take minutes.
 */
import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv } from "../spec.ts";
import { type AttentionSizes, loadType } from "./shared.ts";

const own = 4;
const block = 8;
const workgroupSize = 32;

/** Text of `count` repetitions, joined by line breaks. */
const repeat = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");

const join = (count: number, separator: string, term: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => term(index)).join(separator);

/** Flat index of the first load of a token, `tokens` being how many an image has. */
const rowOf = (token: string, tokens: string): string =>
  `((image * ${tokens} + ${token}) * params.heads + head) * params.columns`;

/**
 * One thread per image, head and four own tokens. `before`, `each` (once per block of the other side) and `after` see
 * `image`, `head`, the own tokens' `token0`…, `inside0`… and first loads `at0`…, and `each` the block's `from0`… likewise.
 */
function pass(
  sizes: AttentionSizes,
  side: "queries" | "keys",
  bindings: Pick<Pass, "label" | "read" | "write">,
  text: { before: string; each: string; after: string },
): Pass {
  const tokens = `params.${side}`;
  const others = side === "queries" ? "params.keys" : "params.queries";
  const type = loadType(sizes);
  const product = type === "f32" ? "a * b" : "dot(a, b)";
  const code = /* wgsl */ `
  let blocks = (${tokens} + ${own - 1}u) / ${own}u;
  let head = i / blocks % params.heads;
  let image = i / (blocks * params.heads);
  if (image >= params.images) { return; }
${repeat(
  own,
  (r) => `  let token${r} = min(i % blocks * ${own}u + ${r}u, ${tokens} - 1u);
  let inside${r} = i % blocks * ${own}u + ${r}u < ${tokens};
  let at${r} = ${rowOf(`token${r}`, tokens)};`,
)}
${text.before}
  for (var first = 0u; first < ${others}; first += ${block}u) {
${repeat(block, (j) => `    let from${j} = ${rowOf(`min(first + ${j}u, ${others} - 1u)`, others)};`)}
${text.each}
  }
${text.after}`;
  return {
    ...bindings,
    workgroups: grid(ceilDiv(sizes.images * sizes.heads * ceilDiv(sizes[side], own), workgroupSize)),
    code: `alias V = ${type};
fn inner(a: V, b: V) -> f32 { return ${product}; }
${perThread(workgroupSize, code)}`,
  };
}

/** Declares the tile `name{row}_{j}` = Σ over D of left (an own row) times right (a row of the block). */
const products = (name: string, left: string, right: string): string => /* wgsl */ `
${repeat(own, (r) => `    ${join(block, " ", (j) => `var ${name}${r}_${j} = 0.0;`)}`)}
    for (var c = 0u; c < params.columns; c++) {
${repeat(own, (r) => `      let a${r} = ${left}[at${r} + c];`)}
${repeat(block, (j) => `      let b${j} = ${right}[from${j} + c];`)}
${repeat(own, (r) => repeat(block, (j) => `      ${name}${r}_${j} += inner(a${r}, b${j});`))}
    }`;

/** Adds tile × rows of the block to the own rows of each output: `sums` are [output, tile, source, factor of the old]. */
const accumulate = (...sums: [string, string, string, ((row: number) => string)?][]): string =>
  sums
    .map(
      ([output, tile, source, factor]) => /* wgsl */ `
    for (var c = 0u; c < params.columns; c++) {
${repeat(block, (j) => `      let b${j} = ${source}[from${j} + c];`)}
${repeat(own, (r) => {
  const old = `${output}[at${r} + c]${factor ? ` * ${factor(r)}` : ""}`;
  return `      if (inside${r}) { ${output}[at${r} + c] = ${old} + ${join(block, " + ", (j) => `${tile}${r}_${j} * b${j}`)}; }`;
})}
    }`,
    )
    .join("");

/** Own rows of an output times `factor`, or set to zero. */
const finish = (output: string, factor: (row: number) => string): string =>
  repeat(
    own,
    (r) => `  if (inside${r}) {
    for (var c = 0u; c < params.columns; c++) { ${output}[at${r} + c] = ${factor(r)}; }
  }`,
  );

const clear = (output: string): string => finish(output, () => "V(0.0)");
const scaled = (output: string, factor: (row: number) => string): string =>
  finish(output, (r) => `${output}[at${r} + c] * ${factor(r)}`);

/** query, key, value → y, logSumExp. Logits are in base 2 throughout. */
export function forwardTiles(sizes: AttentionSizes): Pass {
  const type = loadType(sizes);
  return pass(
    sizes,
    "queries",
    { read: { query: type, key: type, value: type }, write: { y: type, logSumExp: "f32" } },
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
${repeat(block, (j) => `    p${r}_${j} = p${r}_${j} * factor + hidden${j};`)}
    let next${r} = max(top${r}, ${Array.from({ length: block }, (_, j) => `p${r}_${j}`).reduce((a, b) => `max(${a}, ${b})`)});
    let shrink${r} = exp2(top${r} - next${r});
    top${r} = next${r};
${repeat(block, (j) => `    p${r}_${j} = exp2(p${r}_${j} - top${r});`)}
    sum${r} = sum${r} * shrink${r} + ${join(block, " + ", (j) => `p${r}_${j}`)};`,
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
export function queryGradientTiles(sizes: AttentionSizes): Pass {
  const type = loadType(sizes);
  return pass(
    sizes,
    "queries",
    {
      label: "query",
      read: { query: type, key: type, value: type, y: type, logSumExp: "f32", gradient: type },
      write: { queryGradient: type, delta: "f32" },
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
  for (var c = 0u; c < params.columns; c++) { delta${r} += inner(gradient[at${r} + c], y[at${r} + c]); }
  if (inside${r}) { delta[statistic${r}] = delta${r}; }`,
)}
${clear("queryGradient")}`,
      each: /* wgsl */ `${products("p", "query", "key")}
${products("d", "gradient", "value")}
${repeat(block, (j) => `    let hidden${j} = select(0.0, -1e30, first + ${j}u >= params.keys);`)}
${repeat(own, (r) => repeat(block, (j) => `    d${r}_${j} = exp2(p${r}_${j} * factor + hidden${j} - norm${r}) * (d${r}_${j} - delta${r});`))}
${accumulate(["queryGradient", "d", "key"])}`,
      after: scaled("queryGradient", () => "params.scale"),
    },
  );
}

/** → keyGradient and valueGradient by own keys; reads `delta`. */
export function keyGradientTiles(sizes: AttentionSizes): Pass {
  const type = loadType(sizes);
  return pass(
    sizes,
    "keys",
    {
      label: "key and value",
      read: { query: type, key: type, value: type, logSumExp: "f32", gradient: type, delta: "f32" },
      write: { keyGradient: type, valueGradient: type },
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
    (j) => `    p${r}_${j} = exp2(p${r}_${j} * factor - norm${j});
    d${r}_${j} = p${r}_${j} * (d${r}_${j} - mean${j});`,
  ),
)}
${accumulate(["valueGradient", "p", "gradient"], ["keyGradient", "d", "query"])}`,
      after: scaled("keyGradient", () => "params.scale"),
    },
  );
}
