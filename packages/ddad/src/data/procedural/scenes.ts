/**
 * The four things that are inspected: three textures and an object. Each is a function from a point of the image
 * to a colour, so that any size can be drawn; what differs between two good ones is drawn from their seed.
 */
import {
  clamp01,
  createRandom,
  fractalNoise,
  mix,
  mixColor,
  noise,
  type Random,
  type Rgb,
  rotate,
  scaleColor,
  smoothstep,
} from "./noise.ts";

export type Scene = {
  /** The colour at (u, v), both 0 … 1 from the top left. */
  color(u: number, v: number): Rgb;
  /** Whether the inspected thing is there; what is not cannot be defective. */
  solid(u: number, v: number): boolean;
  /** What shows through where a piece is missing. */
  behind(u: number, v: number): Rgb;
  /** A place for the middle of a defect. */
  place(random: Random): [u: number, v: number];
  scratch: Rgb;
  spot: Rgb;
  stain: Rgb;
};

const everywhere = (): boolean => true;

const inside = (random: Random): [number, number] => [mix(0.2, 0.8, random()), mix(0.2, 0.8, random())];

/** Light from the upper left, a little different from image to image. */
function lighting(random: Random): (u: number, v: number) => number {
  const strength = mix(0.05, 0.09, random());
  const level = mix(0.97, 1.03, random());
  return (u, v) => level + strength * (1 - u - v);
}

/** A plain weave of light and dark threads. */
function weave(seed: number): Scene {
  const random = createRandom(seed, 1);
  const light = lighting(random);
  const angle = mix(-0.03, 0.03, random());
  const [shiftU, shiftV] = [random() * 2, random() * 2];
  const warp: Rgb = [0.86, 0.79, 0.66];
  const weft: Rgb = [0.33, 0.45, 0.55];
  const threads = 9;
  const color = (u: number, v: number): Rgb => {
    const [a, b] = rotate(u, v, angle);
    const wobble = 0.12 * (noise(seed, a * 5, b * 5) - 0.5);
    const x = a * threads + shiftU + wobble;
    const y = b * threads + shiftV + wobble;
    const [i, j] = [Math.floor(x), Math.floor(y)];
    const warpOnTop = (i + j) % 2 === 0;
    const across = (warpOnTop ? x - i : y - j) - 0.5;
    const along = (warpOnTop ? y - j : x - i) - 0.5;
    const fibre = noise(seed + 7, (warpOnTop ? x : y) * 5 + along * 3, (warpOnTop ? y : x) * 1.2);
    const round = Math.cos(Math.PI * across * 0.92) * (0.72 + 0.28 * Math.cos(Math.PI * along));
    return scaleColor(warpOnTop ? warp : weft, (0.3 + 0.7 * round) * (0.93 + 0.14 * fibre) * light(u, v));
  };
  return {
    color,
    solid: everywhere,
    behind: () => [0.09, 0.08, 0.09],
    place: inside,
    scratch: [0.97, 0.95, 0.9],
    spot: [0.1, 0.08, 0.07],
    stain: [0.55, 0.12, 0.1],
  };
}

/** A planed board: wavy growth rings cut lengthwise, with fine pores. */
function wood(seed: number): Scene {
  const random = createRandom(seed, 2);
  const light = lighting(random);
  const offset = random() * 0.3;
  const bend = mix(-0.06, 0.06, random());
  const color = (u: number, v: number): Rgb => {
    const wave = 0.1 * (fractalNoise(seed, u * 1.6, v * 0.9) - 0.5) + bend * (v - 0.5) * (v - 0.5) * 4;
    const across = u + wave + offset;
    // Rings of good and bad years: their widths vary.
    const ring = across * 6 + 1.6 * noise(seed + 5, across * 4, 0);
    const phase = ring - Math.floor(ring);
    // Late wood darkens slowly and ends at once, as real rings do.
    const late = smoothstep(0.15, 0.85, phase) * smoothstep(1, 0.9, phase);
    const fibre = noise(seed + 3, u * 46, v * 5);
    const pore = smoothstep(0.72, 0.9, noise(seed + 4, u * 70, v * 7));
    const base = mixColor([0.83, 0.63, 0.42], [0.6, 0.38, 0.21], late * 0.85);
    return scaleColor(base, (0.95 + 0.1 * fibre - 0.14 * pore) * light(u, v));
  };
  return {
    color,
    solid: everywhere,
    behind: () => [0.12, 0.08, 0.06],
    place: inside,
    scratch: [0.97, 0.88, 0.72],
    spot: [0.14, 0.09, 0.06],
    stain: [0.2, 0.34, 0.62],
  };
}

/** Glazed hexagonal tiles with bright joints. */
function tile(seed: number): Scene {
  const random = createRandom(seed, 3);
  const light = lighting(random);
  const angle = mix(-0.02, 0.02, random());
  const [shiftU, shiftV] = [random(), random() * Math.sqrt(3)];
  const across = 4.6;
  const color = (u: number, v: number): Rgb => {
    const [a, b] = rotate(u, v, angle);
    const { x, y, id } = hexagon(a * across + shiftU, b * across + shiftV);
    const upright = Math.abs(x);
    const slanted = 0.5 * Math.abs(x) + (Math.sqrt(3) / 2) * Math.abs(y);
    const edge = 0.5 - Math.max(upright, slanted);
    const joint = scaleColor([0.86, 0.85, 0.81], 0.94 + 0.12 * noise(seed + 1, u * 40, v * 40));
    const shade = 0.9 + 0.2 * noise(seed + 2, id[0] * 1.7, id[1] * 1.7);
    // The glaze is domed: the side towards the light is brighter.
    const dome = 1 - 0.22 * (x + y) * smoothstep(0.3, 0.05, edge);
    const gloss = 0.16 * smoothstep(0.2, 0, Math.hypot(x + 0.16, y + 0.18));
    const glaze = mixColor([0.13, 0.44, 0.47], [0.75, 0.92, 0.9], gloss);
    return scaleColor(
      mixColor(joint, scaleColor(glaze, shade * dome), smoothstep(0.035, 0.065, edge)),
      light(u, v),
    );
  };
  return {
    color,
    solid: everywhere,
    behind: () => [0.36, 0.32, 0.28],
    place: inside,
    scratch: [0.88, 0.93, 0.92],
    spot: [0.05, 0.07, 0.08],
    stain: [0.72, 0.42, 0.1],
  };
}

/** The hexagon (of width 1, points up and down) that a point lies in: where in it, from its middle, and which one. */
function hexagon(x: number, y: number): { x: number; y: number; id: [number, number] } {
  const height = Math.sqrt(3);
  const candidates = [0, 0.5].map((half) => {
    const centerX = Math.round(x - half) + half;
    const centerY = (Math.round(y / height - half) + half) * height;
    return { x: x - centerX, y: y - centerY, id: [centerX, centerY] as [number, number] };
  });
  const [first, second] = candidates as [(typeof candidates)[0], (typeof candidates)[0]];
  return Math.hypot(first.x, first.y) < Math.hypot(second.x, second.y) ? first : second;
}

/** A brass gear on slate, a little turned, shifted and scaled. */
function gear(seed: number): Scene {
  const random = createRandom(seed, 4);
  const light = lighting(random);
  const turn = mix(-0.14, 0.14, random());
  const [centerU, centerV] = [0.5 + mix(-0.018, 0.018, random()), 0.5 + mix(-0.018, 0.018, random())];
  const size = mix(0.98, 1.02, random());
  const teeth = 14;
  const polar = (u: number, v: number): { radius: number; angle: number } => ({
    radius: Math.hypot(u - centerU, v - centerV) / size,
    angle: Math.atan2(v - centerV, u - centerU) - turn,
  });
  /** Distance into the metal; negative outside. */
  const depth = (u: number, v: number): number => {
    const { radius, angle } = polar(u, v);
    const rim = 0.385 + 0.03 * clamp01(0.5 + 1.3 * Math.cos(teeth * angle)) - radius;
    const bore = radius - 0.085;
    const sixth = Math.PI / 3;
    const nearest = angle - Math.round(angle / sixth) * sixth;
    const hole = Math.hypot(radius * Math.cos(nearest) - 0.225, radius * Math.sin(nearest)) - 0.058;
    return Math.min(rim, bore, hole);
  };
  const slate = (u: number, v: number): Rgb =>
    scaleColor([0.2, 0.24, 0.29], (0.96 + 0.08 * noise(seed + 1, u * 60, v * 60)) * light(u, v));
  const color = (u: number, v: number): Rgb => {
    const inward = depth(u, v);
    if (inward < 0)
      return scaleColor(slate(u, v), 1 - 0.55 * smoothstep(-0.03, 0.02, depth(u - 0.018, v - 0.022)));
    const { radius, angle } = polar(u, v);
    const turned = 0.05 * Math.sin(radius * 180) + 0.05 * (noise(seed + 2, radius * 90, 0) - 0.5);
    const sheen = 0.16 * Math.cos(2 * (angle + turn + 0.75 * Math.PI));
    // The bevel: bright where the metal falls towards the light, dark on the other side.
    const slope = depth(u + 0.008, v + 0.008) - depth(u - 0.008, v - 0.008);
    const bevel = 14 * slope * smoothstep(0.022, 0.004, inward);
    const hub = radius < 0.135 ? 0.1 : 0;
    return scaleColor([0.85, 0.69, 0.38], (0.86 + hub + turned + sheen + bevel) * light(u, v));
  };
  return {
    color,
    solid: (u, v) => depth(u, v) >= 0,
    behind: slate,
    place: (place) => {
      const angle = place() * 2 * Math.PI;
      return [centerU + 0.325 * size * Math.cos(angle), centerV + 0.325 * size * Math.sin(angle)];
    },
    scratch: [1, 0.98, 0.93],
    spot: [0.12, 0.09, 0.07],
    stain: [0.17, 0.5, 0.42],
  };
}

export const scenes = { weave, wood, tile, gear } as const;

/** Things that can be drawn. */
export type ProceduralCategory = keyof typeof scenes;

/** The things that can be drawn: three textures and an object. */
export const proceduralCategories = Object.keys(scenes) as ProceduralCategory[];
