/**
 * Philox 4×32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011):
 * four random words are a function of a counter and a key alone, so noise does not depend on order, batch or device.
 * Once in TypeScript and once in WGSL; both give the words of the authors' Random123 library.
 */
import { check } from "../errors.ts";
import { show, type TensorSpec } from "../spec.ts";

export type Words2 = readonly [number, number];
export type Words4 = readonly [number, number, number, number];

const MULTIPLIER = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** High word of the 64-bit product of two 32-bit numbers, from products of 16-bit halves: exact in doubles. */
function multiplyHigh(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const cross = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (cross >>> 16);
}

/** Four 32-bit words for a counter of four words and a key of two (all as unsigned numbers). */
export function philox4x32(counter: Words4, key: Words2): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER[0], c0);
    const high1 = multiplyHigh(MULTIPLIER[1], c2);
    const low0 = Math.imul(MULTIPLIER[0], c0) >>> 0;
    const low1 = Math.imul(MULTIPLIER[1], c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + WEYL[0]) >>> 0;
    k1 = (k1 + WEYL[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** WGSL: `philox4x32(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32>`. */
export const philoxCode = /* wgsl */ `
// As in TypeScript: WGSL has no wider multiplication either.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u);
  let cross = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (cross >> 16u);
}

fn philox4x32(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
  var c = counter;
  var k = key;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    let high0 = multiplyHigh(${MULTIPLIER[0]}u, c.x);
    let high1 = multiplyHigh(${MULTIPLIER[1]}u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ k.x, ${MULTIPLIER[1]}u * c.z, high0 ^ c.w ^ k.y, ${MULTIPLIER[0]}u * c.x);
    k += vec2<u32>(${WEYL[0]}u, ${WEYL[1]}u);
  }
  return c;
}
`;

/**
 * Counter word 1 tells what is drawn, so that a uniform, a normal and an integer of one key are independent. Word 0 counts
 * blocks of four elements inside a row; words 2 and 3 are the key's stream and step.
 */
export const purposes = { uniform: 0, normal: 1, integer: 2 } as const;

export type Purpose = keyof typeof purposes;

/** A row's key: two words of seed (Philox's key) and two that name the draw, such as stream and step. */
export function checkKey(op: string, key: TensorSpec): void {
  check(
    key.dtype === "u32" && key.shape.length === 2 && key.shape[1] === 4,
    op,
    () => `key must be u32 [N, 4] (seed, seed, stream, step) but is ${key.dtype} ${show(key.shape)}.`,
  );
}

/** The words of one block of a row. */
export const wordsOf = (key: ArrayLike<number>, row: number, block: number, purpose: Purpose): Words4 =>
  philox4x32(
    [block, purposes[purpose], key[4 * row + 2]!, key[4 * row + 3]!],
    [key[4 * row]!, key[4 * row + 1]!],
  );

/** WGSL: the words of block `block` of row `row`, from the binding `key: array<vec4<u32>>`. */
export const wordsCode = (purpose: Purpose): string => /* wgsl */ `
${philoxCode}
fn wordsOf(row: u32, block: u32) -> vec4<u32> {
  let k = key[row];
  return philox4x32(vec4<u32>(block, ${purposes[purpose]}u, k.z, k.w), k.xy);
}
`;

/** Fills the keys of test cases: any 32-bit word. */
export const anyWord = (_index: number, uniform: () => number): number => Math.floor(2 ** 32 * uniform());
