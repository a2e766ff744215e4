/** Options that an operation on images has for both sides alike or for each: how they are given, and how kernels want them. */
import { type Shape, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";

/** One number for both sides of an image, or one for its height and one for its width. */
export type PerSide = number | readonly [height: number, width: number];

/** Pixels around an image: alike everywhere, or above and below and on both sides, or on all four. */
export type PaddingOption =
  | number
  | readonly [height: number, width: number]
  | readonly [top: number, left: number, bottom: number, right: number];

/** Height and width. Throws ShapeError where a list has another length. */
export function bothSides(op: string, name: string, given: PerSide): readonly [number, number] {
  if (typeof given === "number") return [given, given];
  checkList(op, name, given);
  if (given.length !== 2) {
    throw new ShapeError(
      `${op}: ${name} must be a number or [height, width] but is ${show(given as unknown as Shape)}.`,
    );
  }
  return given;
}

/** One number where both sides have the same, so that what is alike is one program. */
export function oneOrBoth(op: string, name: string, given: PerSide): PerSide {
  const [height, width] = bothSides(op, name, given);
  return height === width ? height : [height, width];
}

/** Top, left, bottom, right. Throws ShapeError where a list has another length. */
export function fourSides(op: string, given: PaddingOption): readonly [number, number, number, number] {
  if (typeof given === "number") return [given, given, given, given];
  checkList(op, "padding", given);
  if (given.length === 2) return [given[0], given[1], given[0], given[1]];
  if (given.length !== 4) {
    throw new ShapeError(
      `${op}: padding must be a number, [height, width] or [top, left, bottom, right] but is ${show(given as Shape)}.`,
    );
  }
  return given;
}
