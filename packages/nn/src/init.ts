/** Initial values of parameters, computed on the host. Defaults are PyTorch's. */
import { checkKind, checkNumbers, checkSizes } from "./arguments.ts";
import { HostRandom } from "./hostRandom.ts";

/** How many values each output reads, and how many outputs each value reaches (kernel positions counted). */
export interface Fan {
  /** Values that each output reads. */
  readonly in: number;
  /** Outputs that each value reaches. */
  readonly out: number;
}

/** Makes `count` initial values. */
export type Initializer = (count: number, fan: Fan, random: HostRandom) => Float32Array;

/** Draws uniform numbers within ±size, or normal ones of this standard deviation. */
const drawn =
  (name: string, kind: "uniform" | "normal", sizeOf: (fan: Fan) => number): Initializer =>
  (count, fan, random) => {
    checkKind(name, "random", random, random instanceof HostRandom, "a HostRandom");
    return random[kind](count, sizeOf(Object(fan) as Fan));
  };

/** PyTorch's default of linear and convolution layers, weights (a = √5) and biases alike: U(±1/√fan_in). */
export const fanInUniform: Initializer = /* @__PURE__ */ drawn(
  "fanInUniform",
  "uniform",
  (fan) => 1 / Math.sqrt(fan.in),
);

/**
 * U(±√(6 / ((1 + a²) fan_in))), which keeps the variance of activations behind a leaky ReLU of slope `a`.
 * He et al., "Delving deep into rectifiers", ICCV 2015.
 */
export function kaimingUniform(a = 0): Initializer {
  checkNumbers("kaimingUniform", { a }, -Infinity);
  return drawn("kaimingUniform", "uniform", (fan) => Math.sqrt(6 / ((1 + a * a) * fan.in)));
}

/** N(0, 2 / fan), fan of the inputs or, as torchvision's ResNets, of the outputs (He et al. 2015). */
export function kaimingNormal(mode: keyof Fan = "in"): Initializer {
  checkKind("kaimingNormal", "mode", mode, ["in", "out"].includes(mode), '"in" or "out"');
  return drawn("kaimingNormal", "normal", (fan) => Math.sqrt(2 / fan[mode]));
}

/** U(±√(6 / (fan_in + fan_out))) (Glorot and Bengio, AISTATS 2010). */
export const xavierUniform: Initializer = /* @__PURE__ */ drawn("xavierUniform", "uniform", (fan) =>
  Math.sqrt(6 / (fan.in + fan.out)),
);

/** N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010). */
export const xavierNormal: Initializer = /* @__PURE__ */ drawn("xavierNormal", "normal", (fan) =>
  Math.sqrt(2 / (fan.in + fan.out)),
);

/** U(±bound), whatever the fan. */
export function uniformInit(bound: number): Initializer {
  checkNumbers("uniformInit", { bound });
  return drawn("uniformInit", "uniform", () => bound);
}

/** N(0, std²), whatever the fan. */
export function normalInit(std: number): Initializer {
  checkNumbers("normalInit", { std });
  return drawn("normalInit", "normal", () => std);
}

/** Zeros, whatever the fan. */
export const allZeros: Initializer = (count) => new Float32Array(count);

/** Ones, whatever the fan. */
export const allOnes: Initializer = (count) => new Float32Array(count).fill(1);

let current = new HostRandom(0);

/** Restarts the random numbers of layers that are made without a `random` of their own (seed 0 at the start). */
export function setSeed(seed: number): void {
  checkSizes("setSeed", { seed }, -Infinity);
  current = new HostRandom(seed);
}

/** The default random generator of layers. */
export const defaultRandom = (): HostRandom => current;
