/** Shaders that measure one peak rate each, and their expected outputs. */
import type { Shader, SubgroupMatrix } from "@ddad/kernels-wgsl";

export interface Program {
  readonly name: string;
  readonly shader: Shader;
  readonly workgroups: number;
  /** Floating-point operations of a run; a multiply-add counts 2. */
  readonly flops: number;
  /** What the first `count` numbers of the target must be, within `tolerance` × the largest of them. */
  readonly count: number;
  readonly tolerance: number;
  expected(index: number): number;
}

/** The first numbers of the source; zeros follow. Multiples of 1/256 within ±1/4, so that f16 holds them exactly. */
export const sourceValues = Float32Array.from(
  { length: 4096 },
  (_, index) => ((Math.imul(index + 1, 0x9e3779b1) >>> 25) - 64) / 256,
);

/** Binds `source`, vectors that are read, and `target_`, an array of `target` that is written. */
const shader = (target: string, code: string, enables = ""): Shader => ({
  code: /* wgsl */ `${enables}
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> target_: array<${target}>;
${code}`,
  bindings: [
    { name: "source", access: "read" },
    { name: "target_", access: "read_write" },
  ],
  uniform: false,
  fields: [],
});

const entry = (body: string): string => /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
${body}
}
`;

/** Writes nothing, since nothing in the source is 0.5. */
export const empty: Program = {
  name: "empty",
  workgroups: 1,
  flops: 0,
  count: 64,
  tolerance: 0,
  expected: () => 0,
  shader: shader("vec4f", entry("  if (source[0].x == 0.5) { target_[0] = source[0]; }")),
};

/** Each thread copies four vectors; neighbouring threads copy neighbouring vectors. */
export const copy = (bytes: number): Program => ({
  name: "copy",
  workgroups: bytes / 16 / 4 / 64,
  flops: 0,
  count: sourceValues.length,
  tolerance: 0,
  expected: (index) => sourceValues[index]!,
  shader: shader(
    "vec4f",
    entry(/* wgsl */ `
  let threads = groups.x * 64u;
  for (var k = 0u; k < 4u; k++) { target_[id.x + k * threads] = source[id.x + k * threads]; }`),
  ),
});

/** How much a program of multiply-adds does. */
export interface AddingWork {
  /** Multiply-adds of each accumulator. Loops add u32(a number below 1) to theirs, so that no compiler knows how many they are. */
  readonly rounds: number;
  /** A multiple of 64. */
  readonly threads: number;
}

/**
 * `chains` independent accumulators of four `type`, a ← a s + s, which ends at s / (1 − s); `unrolled` of each in the body of
 * the loop.
 */
export const multiplyAdd = (
  type: "f32" | "f16",
  chains: number,
  unrolled: number,
  { rounds, threads }: AddingWork,
): Program => {
  const names = Array.from({ length: chains }, (_, chain) => `a${chain}`);
  const body = Array.from({ length: unrolled }, () => names.map((a) => `${a} = fma(${a}, s, s);`).join(" "));
  const code = entry(/* wgsl */ `
  let s = vec4<${type}>(source[id.x % 16u]);
${names.map((a, chain) => `  var ${a} = s * ${chain}.5;`).join("\n")}
  let rounds = ${rounds / unrolled}u + u32(source[0].x);
  for (var k = 0u; k < rounds; k++) {
    ${body.join("\n    ")}
  }
  target_[id.x] = ${names.map((a) => `vec4f(${a})`).join(" + ")};`);
  return {
    name: `multiply-add ${type} ${chains}×${unrolled}`,
    workgroups: threads / 64,
    flops: threads * rounds * chains * 4 * 2,
    count: 4 * threads,
    tolerance: type === "f32" ? 1e-5 : 1e-2,
    expected(index) {
      const s = sourceValues[index % 64]!;
      return (chains * s) / (1 - s);
    },
    shader: shader("vec4f", code, type === "f16" ? "enable f16;" : ""),
  };
};

/** How the matrices of a subgroup are written in WGSL; `lefts` and `rights` are arrays of `component` in workgroup memory. */
export interface MatrixSyntax {
  readonly component: "f16" | "f32";
  readonly declarations: string;
  readonly zero: string;
  left(offset: string): string;
  right(offset: string): string;
  multiplyAdd(left: string, right: string, result: string): string;
  store(results: string, offset: string, result: string): string;
}

/** The subgroup-matrix extension as Dawn has it, which names a matrix by its columns and rows. */
const hardware = ({ m, n, k }: SubgroupMatrix): MatrixSyntax => ({
  component: "f16",
  declarations: "",
  zero: `subgroup_matrix_result<f32, ${n}, ${m}>()`,
  left: (offset) =>
    `subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&lefts, ${offset}, ${k}u)`,
  right: (offset) =>
    `subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, row_major>(&rights, ${offset}, ${n}u)`,
  multiplyAdd: (left, right, result) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${result})`,
  store: (results, offset, result) =>
    `subgroupMatrixStore<row_major>(&${results}, ${offset}, ${result}, ${n}u);`,
});

const matrixEnables = /* wgsl */ `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`;

/** How much the subgroups of a matrix program do. */
export interface MatrixWork {
  /** Products of each pair of matrices. */
  readonly rounds: number;
  readonly workgroups: number;
}

/** In a workgroup. */
const subgroups = 4;

/**
 * Each subgroup keeps `tall` left and `wide` right matrices and adds the product of every pair to a result of its own, again
 * and again, as a tile of a large product does between two loads.
 */
export function matrixProducts(
  sizes: SubgroupMatrix,
  tall: number,
  wide: number,
  work: MatrixWork,
  syntax: MatrixSyntax = hardware(sizes),
): Program {
  const { m, n, k, lanes, sized } = sizes;
  const { component } = syntax;
  const size = subgroups * lanes;
  const [lefts, rights, results] = [tall * m * k, wide * k * n, tall * wide * m * n];
  const pairs = Array.from({ length: tall * wide }, (_, pair) => [Math.floor(pair / wide), pair % wide]);
  const each = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => `  ${line(index)}`).join("\n");
  const value = (index: string): string => `${component}(source[(${index}) / 4u][(${index}) % 4u])`;
  const code = /* wgsl */ `
var<workgroup> lefts: array<${component}, ${lefts}>;
var<workgroup> rights: array<${component}, ${rights}>;
${syntax.declarations}
@compute @workgroup_size(${size})${sized ? ` @subgroup_size(${lanes})` : ""}
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  for (var i = thread; i < ${lefts}u; i += ${size}u) { lefts[i] = ${value("i")}; }
  for (var i = thread; i < ${rights}u; i += ${size}u) { rights[i] = ${value(`i + ${lefts}u`)}; }
  workgroupBarrier();
  let lane = thread % ${lanes}u;
${each(tall, (i) => `let left${i} = ${syntax.left(`${i * m * k}u`)};`)}
${each(wide, (j) => `let right${j} = ${syntax.right(`${j * k * n}u`)};`)}
${each(pairs.length, (pair) => `var y${pair} = ${syntax.zero};`)}
  let rounds = ${work.rounds}u + u32(source[0].x);
  for (var round = 0u; round < rounds; round++) {
${each(pairs.length, (pair) => {
  const [i, j] = pairs[pair]!;
  return `  y${pair} = ${syntax.multiplyAdd(`left${i}`, `right${j}`, `y${pair}`)};`;
})}
  }
  let first = (group.x * ${subgroups}u + thread / ${lanes}u) * ${results}u;
${each(pairs.length, (pair) => syntax.store("target_", `first + ${pair * m * n}u`, `y${pair}`))}
}`;
  const enables = [component === "f16" ? matrixEnables : "", sized ? "enable subgroup_size_control;" : ""];
  const area = productsOf(sizes, tall, wide).map((product) => product * work.rounds);
  return {
    name: `matrix products of ${m}×${n}×${k}, ${tall}×${wide}`,
    workgroups: work.workgroups,
    flops: work.workgroups * subgroups * work.rounds * pairs.length * 2 * m * n * k,
    count: work.workgroups * subgroups * results,
    // Units may cut off what does not fit into a sum where f32 would round: 2⁻²³ of it a round, always downwards.
    tolerance: 1e-3,
    expected: (index) => area[index % results]!,
    shader: shader("f32", code, enables.join("\n")),
  };
}

/** The products of all pairs of matrices in the source, one after another, row by row. */
function productsOf({ m, n, k }: SubgroupMatrix, tall: number, wide: number): number[] {
  const left = (i: number, row: number, x: number): number => sourceValues[(i * m + row) * k + x]!;
  const right = (j: number, x: number, column: number): number =>
    sourceValues[tall * m * k + (j * k + x) * n + column]!;
  return Array.from({ length: tall * wide * m * n }, (_, index) => {
    const pair = Math.floor(index / (m * n));
    const [i, j] = [Math.floor(pair / wide), pair % wide];
    const [row, column] = [Math.floor((index % (m * n)) / n), index % n];
    let sum = 0;
    for (let x = 0; x < k; x++) sum += left(i, row, x) * right(j, x, column);
    return sum;
  });
}
