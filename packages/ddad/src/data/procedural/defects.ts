/** The four kinds of defects. Each has a shape and a colour, and draws its place and form from its own numbers. */
import { clamp01, fractalNoise, mix, mixColor, type Random, type Rgb, smoothstep } from "./noise.ts";
import type { Scene } from "./scenes.ts";

export type Defect = {
  /** How much of the point (u, v) is defective, 0 … 1. */
  coverage(u: number, v: number): number;
  /** The colour there where it is wholly defective. */
  color(u: number, v: number, good: Rgb): Rgb;
};

type MakeDefect = (scene: Scene, random: Random, size: number) => Defect;

/** A thin bent line; never thinner than a pixel and a third, so that it can be seen at any size. */
const scratch: MakeDefect = (scene, random, size) => {
  const [u, v] = scene.place(random);
  const angle = random() * Math.PI;
  const length = mix(0.14, 0.22, random());
  const sag = mix(-0.07, 0.07, random());
  const width = Math.max(0.011, 0.67 / size);
  const [along, across] = [
    [Math.cos(angle), Math.sin(angle)],
    [-Math.sin(angle), Math.cos(angle)],
  ] as const;
  return {
    coverage: (x, y) => {
      const a = (x - u) * along[0] + (y - v) * along[1];
      const t = a / length;
      const offset = (x - u) * across[0] + (y - v) * across[1] - sag * (t * t - 0.4);
      // Thinner towards its ends.
      return Math.abs(t) < 1 ? smoothstep(1.25, 0.75, Math.abs(offset) / (width * (1 - 0.6 * t * t))) : 0;
    },
    color: () => scene.scratch,
  };
};

/** A round region with an uneven edge: 1 inside, falling to 0 over `softness` of its radius. */
function blob(
  scene: Scene,
  random: Random,
  radius: number,
  softness: number,
): (x: number, y: number) => number {
  const [u, v] = scene.place(random);
  const seed = Math.floor(random() * 2 ** 31);
  const stretch = mix(0.8, 1.25, random());
  return (x, y) => {
    const [dx, dy] = [((x - u) * stretch) / radius, (y - v) / stretch / radius];
    const uneven = 0.9 * (fractalNoise(seed, dx * 1.3 + 50, dy * 1.3 + 50) - 0.5);
    return smoothstep(1 + softness / 2, 1 - softness / 2, Math.hypot(dx, dy) + uneven);
  };
}

/** A small dark spot, as burnt. */
const spot: MakeDefect = (scene, random) => ({
  coverage: blob(scene, random, mix(0.035, 0.06, random()), 0.35),
  color: (_u, _v, good) => mixColor(good, scene.spot, 0.88),
});

/** A piece broken off or torn out: what lies behind shows. */
const missing: MakeDefect = (scene, random) => {
  const coverage = blob(scene, random, mix(0.06, 0.09, random()), 0.08);
  return {
    coverage,
    color: (u, v) => {
      // The upper left edge throws a shadow into the hole.
      const shadow = 1 - coverage(u - 0.02, v - 0.02);
      return mixColor(scene.behind(u, v), [0, 0, 0], 0.6 * shadow);
    },
  };
};

/** A large translucent patch of another colour, its edge darker, as a dried liquid leaves it. */
const stain: MakeDefect = (scene, random) => {
  const inner = blob(scene, random, mix(0.1, 0.14, random()), 0.5);
  const strength = mix(0.5, 0.65, random());
  return {
    coverage: (u, v) => smoothstep(0.05, 0.3, inner(u, v)),
    color: (u, v, good) => {
      const rim = smoothstep(0.9, 0.4, inner(u, v));
      return mixColor(good, scene.stain, clamp01(strength + 0.2 * rim));
    },
  };
};

export const defects = { scratch, spot, missing, stain } as const;

/** Kinds of defect that can be drawn. */
export type DefectKind = keyof typeof defects;

/** The kinds of defect, in the order in which they are drawn. */
export const defectKinds = Object.keys(defects) as DefectKind[];
