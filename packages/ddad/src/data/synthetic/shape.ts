/** What the kinds of synthetic defects have in common: what they are given, what they answer, and small draws. */
import type { Image } from "../../images/image.ts";
import { mix, type Random } from "../procedural/noise.ts";
import type { Content } from "./content.ts";

/** A good image, and what a kind may use to change it. */
export type Ground = {
  /** Side of the image. */
  readonly size: number;
  /** `[size, size, 3]` bytes; not to be changed. */
  readonly pixels: Uint8Array;
  /** Where the image shows something. */
  readonly content: Content;
  /** Another good image of the same size. */
  readonly texture: Image;
};

/** A defect as laid: what the image looks like now, and how large the shape is, whether or not all of it can be seen. */
export type Laid = {
  /** `[size, size, 3]` bytes. */
  readonly data: Uint8Array;
  /** Pixels of the shape. */
  readonly area: number;
};

/** Lays one defect. Everything random comes from `random`. */
export type LayKind = (ground: Ground, random: Random) => Laid;

/** A change of contrast (0.9 … 1.1 times) and of brightness (up to 8 % of the range), in bytes; not clipped. */
export function drawJitter(random: Random): (value: number) => number {
  const contrast = mix(0.9, 1.1, random());
  const brightness = mix(-0.08, 0.08, random()) * 255;
  return (value) => (value - 127.5) * contrast + 127.5 + brightness;
}

/** A number between two positive ones, as often between a and 2a as between 2a and 4a. */
export const drawScale = (from: number, to: number, random: Random): number => from * (to / from) ** random();

/** A byte of a number: rounded to nearest, clipped. */
export const toByte = (value: number): number => Math.min(Math.max(Math.round(value), 0), 255);
