/**
 * Numbers in the WGSL of a pass that reach it as data. Written as `${uniform("channels", 64)}` instead of `64u`, a number becomes
 * `params.channels` in the shader, so that one pipeline serves calls of all sizes: compilers take a second for a large shader.
 */
import { KernelError } from "./errors.ts";

/** WGSL of a whole number (u32) that is a field of the uniform struct. A name has one value in a pass. */
export const uniform = (name: string, value: number): string => `⟨${name}=${value}⟩`;

const marked = /⟨(\w+)=([^⟩]*)⟩/g;

/** The code with its numbers taken out, and their values by name, in the order in which they first occur. */
export function liftUniforms(code: string): { readonly code: string; readonly numbers: Map<string, number> } {
  const numbers = new Map<string, number>();
  const lifted = code.replace(marked, (_, name: string, text: string) => {
    const value = Number(text);
    // As a u32, NaN and fractions are other numbers.
    if (value !== value >>> 0 || (numbers.get(name) ?? value) !== value)
      throw new KernelError(`uniform ${name}: ${text} is no u32, or a second value.`);
    numbers.set(name, value);
    return `params.${name}`;
  });
  return { code: lifted, numbers };
}

/**
 * WGSL of `x / by` for a divisor that is data, named `name`. Compilers for CPUs make a division of integers by a number that they do
 * not know of one division for each lane; a product and a shift, or a division of floats, take all lanes at once.
 *
 * @param most the largest x
 */
export function quotient(x: string, name: string, by: number, most: number): string {
  const factor = reciprocal(by, most);
  if (factor)
    return `(((${x}) * ${uniform(`${name}Factor`, factor[0])}) >> ${uniform(`${name}Shift`, factor[1])})`;
  return most / by < 2 ** 21 ? `quotient(${x}, ${uniform(name, by)})` : `((${x}) / ${uniform(name, by)})`;
}

/** WGSL of `x % by`: see {@link quotient}, whose result is `whole`. */
export const remainder = (x: string, whole: string, name: string, by: number): string =>
  `(${x}) - ${whole} * ${uniform(name, by)}`;

/** A factor and a shift with `x / by = x · factor >> shift` in 32 bits for every x up to `most`; undefined where there are none. */
export function reciprocal(by: number, most: number): readonly [factor: number, shift: number] | undefined {
  const power = Math.log2(by);
  if (Number.isInteger(power)) return [1, power];
  // x · factor is x · 2^shift / by and at most x more; below 2^shift / by that does not reach the next quotient.
  const shift = Math.ceil(Math.log2(most + 1)) + Math.ceil(power);
  const factor = Math.ceil(2 ** shift / by);
  // WGSL shifts by less than 32.
  return shift < 32 && most * factor < 2 ** 32 ? [factor, shift] : undefined;
}

/** What the code calls of {@link quotient}. */
export const quotientFunction = (code: string): string =>
  /\bquotient\(/.test(code)
    ? /* wgsl */ `
// x / by: a float is off by one at most where the quotient is below 2²¹.
fn quotient(x: u32, by: u32) -> u32 {
  let near = u32(f32(x) / f32(by));
  let rest = i32(x - near * by);
  return near + select(0u, 1u, rest >= i32(by)) - select(0u, 1u, rest < 0i);
}`
    : "";
