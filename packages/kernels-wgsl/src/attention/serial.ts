/**
 * Flash attention without workgroup memory: a thread keeps a few rows (of queries, or of keys) in registers and walks
 * over all of the other side, so that every number it loads serves all of its rows.
 */
import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv } from "../spec.ts";
import type { AttentionSizes } from "./shared.ts";

const workgroupSize = 32;

/** Text of `count` repetitions, joined by line breaks. */
const repeat = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");

/** The loads that a row consists of: `width` numbers each. */
const widthOf = ({ dimension }: AttentionSizes): 1 | 4 => (dimension % 4 === 0 ? 4 : 1);

/** A tile of rows kept in registers, and the text of what is done with each of them. */
class Registers {
  readonly rows: number;
  readonly columns: number;
  readonly type: string;
  readonly sizes: AttentionSizes;

  constructor(sizes: AttentionSizes, rows: number) {
    this.sizes = sizes;
    this.rows = rows;
    this.columns = sizes.dimension / widthOf(sizes);
    this.type = widthOf(sizes) === 4 ? "vec4<f32>" : "f32";
  }

  /** `line` for every row and column of the tile. */
  each(line: (row: number, column: number) => string): string {
    return repeat(this.rows, (row) => repeat(this.columns, (column) => line(row, column)));
  }

  /** The dot product of two rows of registers. */
  dot(left: (column: number) => string, right: (column: number) => string): string {
    const product = (column: number) => `${left(column)} * ${right(column)}`;
    let sum = product(0);
    for (let column = 1; column < this.columns; column++) sum = `(${sum}) + ${product(column)}`;
    return this.type === "f32" ? sum : `dot(${sum}, vec4f(1.0))`;
  }

  /** Flat index of the first load of a token's row, `tokens` being how many an image has. */
  at(token: string, tokens: string): string {
    return `((image * ${tokens} + ${token}) * params.heads + head) * ${this.columns}u`;
  }

  /** One thread per image, head and block of `rows` tokens: `body` sees `image`, `head` and `token0`, `token1`, … */
  pass(
    bindings: Pick<Pass, "label" | "read" | "write">,
    tokens: "params.queries" | "params.keys",
    body: string,
  ): Pass {
    const { images, heads, queries, keys } = this.sizes;
    const count = tokens === "params.queries" ? queries : keys;
    return {
      ...bindings,
      workgroups: grid(ceilDiv(images * heads * ceilDiv(count, this.rows), workgroupSize)),
      code: perThread(
        workgroupSize,
        /* wgsl */ `
  let blocks = (${tokens} + ${this.rows - 1}u) / ${this.rows}u;
  let block = i % blocks;
  let head = i / blocks % params.heads;
  let image = i / (blocks * params.heads);
  if (image >= params.images) { return; }
  // Tokens past the end repeat the last one and are not stored.
  ${repeat(this.rows, (row) => `let token${row} = min(block * ${this.rows}u + ${row}u, ${tokens} - 1u);`)}
${body}`,
      ),
    };
  }
}

const log2e = Math.LOG2E;

export function serialForward(sizes: AttentionSizes): Pass {
  const rows = 2;
  const tile = new Registers(sizes, rows);
  const { type, columns } = tile;
  const T = "params.queries";
  return tile.pass(
    {
      read: { query: type, key: type, value: type },
      write: { y: type, logSumExp: "f32" },
    },
    T,
    /* wgsl */ `
  let factor = params.scale * ${log2e};
  ${tile.each((r, c) => `let q${r}_${c} = query[${tile.at(`token${r}`, T)} + ${c}u] * factor; var o${r}_${c} = ${type}(0.0);`)}
  ${repeat(rows, (r) => `var top${r} = -1e30; var sum${r} = 0.0;`)}
  for (var j = 0u; j < params.keys; j++) {
    let at = ${tile.at("j", "params.keys")};
    ${repeat(columns, (c) => `let k${c} = key[at + ${c}u];`)}
    ${repeat(rows, (r) => {
      const logit = tile.dot(
        (c) => `q${r}_${c}`,
        (c) => `k${c}`,
      );
      return `let s${r} = ${logit};`;
    })}
    // Rows are rescaled only when a logit is far above the one they are relative to.
    if (${Array.from({ length: rows }, (_, r) => `s${r} > top${r} + 16.0`).join(" || ")}) {
      ${repeat(rows, (r) => `{ let next = max(top${r}, s${r}); let shrink = exp2(top${r} - next); top${r} = next; sum${r} *= shrink; ${repeat(columns, (c) => `o${r}_${c} *= shrink;`)} }`)}
    }
    ${repeat(rows, (r) => `let p${r} = exp2(s${r} - top${r}); sum${r} += p${r};`)}
    ${repeat(columns, (c) => `{ let v = value[at + ${c}u]; ${repeat(rows, (r) => `o${r}_${c} += p${r} * v;`)} }`)}
  }
  ${repeat(
    rows,
    (r) => /* wgsl */ `
  if (block * ${rows}u + ${r}u < ${T}) {
    let at = ${tile.at(`token${r}`, T)};
    let scale = 1.0 / sum${r};
    ${repeat(columns, (c) => `y[at + ${c}u] = o${r}_${c} * scale;`)}
    logSumExp[(image * params.heads + head) * ${T} + token${r}] = (top${r} + log2(sum${r})) * ${Math.LN2};
  }`,
  )}`,
  );
}

/** dq by rows of queries; leaves δ = Σ dy ∘ y of each row in `delta`. */
export function serialQueryGradient(sizes: AttentionSizes): Pass {
  const rows = 1;
  const tile = new Registers(sizes, rows);
  const { type, columns } = tile;
  const T = "params.queries";
  return tile.pass(
    {
      label: "query",
      read: { query: type, key: type, value: type, y: type, logSumExp: "f32", gradient: type },
      write: { queryGradient: type, delta: "f32" },
    },
    T,
    /* wgsl */ `
  let factor = params.scale * ${log2e};
  ${tile.each((r, c) => {
    const at = `${tile.at(`token${r}`, T)} + ${c}u`;
    return `let q${r}_${c} = query[${at}] * factor; let g${r}_${c} = gradient[${at}]; let y${r}_${c} = y[${at}]; var o${r}_${c} = ${type}(0.0);`;
  })}
  ${repeat(
    rows,
    (r) => /* wgsl */ `
  let delta${r} = ${tile.dot(
    (c) => `g${r}_${c}`,
    (c) => `y${r}_${c}`,
  )};
  let at${r} = (image * params.heads + head) * ${T} + token${r};
  let norm${r} = logSumExp[at${r}] * ${log2e};
  if (block * ${rows}u + ${r}u < ${T}) { delta[at${r}] = delta${r}; }`,
  )}
  for (var j = 0u; j < params.keys; j++) {
    let at = ${tile.at("j", "params.keys")};
    ${repeat(columns, (c) => `let v${c} = value[at + ${c}u];`)}
    ${repeat(
      rows,
      (r) =>
        `let w${r} = ${tile.dot(
          (c) => `g${r}_${c}`,
          (c) => `v${c}`,
        )} - delta${r};`,
    )}
    ${repeat(columns, (c) => `let k${c} = key[at + ${c}u];`)}
    ${repeat(
      rows,
      (r) =>
        `let s${r} = w${r} * exp2(${tile.dot(
          (c) => `q${r}_${c}`,
          (c) => `k${c}`,
        )} - norm${r});`,
    )}
    ${tile.each((r, c) => `o${r}_${c} += s${r} * k${c};`)}
  }
  ${repeat(
    rows,
    (r) => /* wgsl */ `
  if (block * ${rows}u + ${r}u < ${T}) {
    let at = ${tile.at(`token${r}`, T)};
    ${repeat(columns, (c) => `queryGradient[at + ${c}u] = o${r}_${c} * params.scale;`)}
  }`,
  )}`,
  );
}

/** dk and dv by rows of keys. */
export function serialKeyGradient(sizes: AttentionSizes): Pass {
  const rows = 1;
  const tile = new Registers(sizes, rows);
  const { type, columns } = tile;
  const S = "params.keys";
  return tile.pass(
    {
      label: "key and value",
      read: { query: type, key: type, value: type, logSumExp: "f32", gradient: type, delta: "f32" },
      write: { keyGradient: type, valueGradient: type },
    },
    S,
    /* wgsl */ `
  let factor = params.scale * ${log2e};
  ${tile.each((r, c) => {
    const at = `${tile.at(`token${r}`, S)} + ${c}u`;
    return `let k${r}_${c} = key[${at}] * factor; let v${r}_${c} = value[${at}]; var a${r}_${c} = ${type}(0.0); var b${r}_${c} = ${type}(0.0);`;
  })}
  for (var j = 0u; j < params.queries; j++) {
    let at = ${tile.at("j", "params.queries")};
    let row = (image * params.heads + head) * params.queries + j;
    let norm = logSumExp[row] * ${log2e};
    let mean = delta[row];
    ${repeat(columns, (c) => `let q${c} = query[at + ${c}u];`)}
    ${repeat(
      rows,
      (r) =>
        `let p${r} = exp2(${tile.dot(
          (c) => `k${r}_${c}`,
          (c) => `q${c}`,
        )} - norm);`,
    )}
    ${repeat(columns, (c) => `let g${c} = gradient[at + ${c}u];`)}
    ${repeat(
      rows,
      (r) =>
        `let s${r} = p${r} * (${tile.dot(
          (c) => `v${r}_${c}`,
          (c) => `g${c}`,
        )} - mean);`,
    )}
    ${tile.each((r, c) => `a${r}_${c} += s${r} * q${c}; b${r}_${c} += p${r} * g${c};`)}
  }
  ${repeat(
    rows,
    (r) => /* wgsl */ `
  if (block * ${rows}u + ${r}u < ${S}) {
    let at = ${tile.at(`token${r}`, S)};
    ${repeat(columns, (c) => `keyGradient[at + ${c}u] = a${r}_${c} * params.scale; valueGradient[at + ${c}u] = b${r}_${c};`)}
  }`,
  )}`,
  );
}
