/** The few functions that textures are made of. Colours have three components in [0, 1]. */
import { uniform } from "../random.ts";

export type Rgb = readonly [number, number, number];

/** The next of a stream of numbers in [0, 1). */
export type Random = () => number;

export function createRandom(...seeds: [number, ...number[]]): Random {
  let counter = 0;
  return () => uniform(...seeds, counter++);
}

export const clamp01 = (x: number): number => Math.min(Math.max(x, 0), 1);

/** Linear from a (t = 0) to b (t = 1). */
export const mix = (a: number, b: number, t: number): number => a + (b - a) * t;

export const mixColor = (a: Rgb, b: Rgb, t: number): Rgb => [
  mix(a[0], b[0], t),
  mix(a[1], b[1], t),
  mix(a[2], b[2], t),
];

export const scaleColor = (color: Rgb, factor: number): Rgb => [
  color[0] * factor,
  color[1] * factor,
  color[2] * factor,
];

/** 0 up to `from`, 1 from `to` on, smooth between; falls where `from` is the greater. */
export function smoothstep(from: number, to: number, x: number): number {
  const t = clamp01((x - from) / (to - from));
  return t * t * (3 - 2 * t);
}

/** Value noise in [0, 1): random numbers at whole coordinates, joined smoothly. */
export function noise(seed: number, x: number, y: number): number {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const s = smoothstep(0, 1, x - i);
  const t = smoothstep(0, 1, y - j);
  const top = mix(uniform(seed, i, j), uniform(seed, i + 1, j), s);
  const bottom = mix(uniform(seed, i, j + 1), uniform(seed, i + 1, j + 1), s);
  return mix(top, bottom, t);
}

/** Three octaves of noise, in [0, 1) around ½. */
export function fractalNoise(seed: number, x: number, y: number): number {
  return (
    (noise(seed, x, y) * 4 + noise(seed + 1, x * 2.1, y * 2.1) * 2 + noise(seed + 2, x * 4.3, y * 4.3)) / 7
  );
}

/** Turns a point about the middle of the image. */
export function rotate(u: number, v: number, angle: number): [number, number] {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  return [c * (u - 0.5) - s * (v - 0.5) + 0.5, s * (u - 0.5) + c * (v - 0.5) + 0.5];
}
