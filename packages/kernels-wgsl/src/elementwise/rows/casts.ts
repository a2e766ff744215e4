/** The same numbers under another type. */
import { bit, type ElementwiseRow, isFloatRegister, type RegisterTypes, unary } from "../row.ts";

/** The largest number that rounds to a finite f16. */
const f16Limit = 65520;

/** The largest f32 that i32 and u32 hold: WGSL clamps larger floats to it. */
const largest = { i32: 2 ** 31 - 2 ** 7, u32: 2 ** 32 - 2 ** 8 };

/** Whole numbers of floats are cut towards zero, those out of range to the nearest bound; NaN becomes 0. */
const saturated =
  (least: number, most: number) =>
  (x: number): number =>
    Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), least), most);

const toInteger = (x: string, { operand, result }: RegisterTypes): string =>
  isFloatRegister(operand) ? `select(${result}(${x}), ${result}(0), is_nan(${x}))` : `${result}(${x})`;

export const casts = {
  toF32: unary(
    "cast",
    (x, { result }) => `${result}(${x})`,
    (x) => x,
    (_e, g) => g,
  ),
  // Rounded also inside of a longer expression, whose registers are f32 (a conversion there and back is optimised away).
  toF16: unary(
    "cast",
    (x, { operand }) =>
      `quantizeToF16(${isFloatRegister(operand) ? x : `${operand.replace(/[iu]32|bool/, "f32")}(${x})`})`,
    (x) => (Math.abs(x) < f16Limit ? x : x * Number.POSITIVE_INFINITY),
    (_e, g) => g,
  ),
  toI32: { ...unary("cast", toInteger, saturated(-(2 ** 31), largest.i32)), integers: (x: number) => x | 0 },
  toU32: { ...unary("cast", toInteger, saturated(0, largest.u32)), integers: (x: number) => x >>> 0 },
  toBool: unary(
    "cast",
    (x, { operand, result }) =>
      isFloatRegister(operand) ? `(${x} != ${operand}(0.0)) | is_nan(${x})` : `${result}(${x})`,
    (x) => bit(x !== 0),
  ),
} satisfies Record<string, ElementwiseRow>;
