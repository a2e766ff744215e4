/** WGSL of the activation after a normalisation's affine map. */
export type Activation = "none" | "silu";

/**
 * A function `activate(z)`: z, or SiLU's z · σ(z) = z / (1 + e⁻ᶻ), with the exponent bounded so that nothing overflows.
 * @param type f32 or a vector of it
 */
export const activateFunction = (activation: Activation, type: string): string => {
  const value = activation === "silu" ? `z / (${type}(1.0) + exp(min(-z, ${type}(80.0))))` : "z";
  return /* wgsl */ `
fn activate(z: ${type}) -> ${type} { return ${value}; }
`;
};

/** A function `derivative(z)` of SiLU: σ(z) · (1 + z · (1 − σ(z))). */
export const siluDerivativeFunction = (type: string): string => /* wgsl */ `
fn derivative(z: ${type}) -> ${type} {
  let s = ${type}(1.0) / (${type}(1.0) + exp(min(-z, ${type}(80.0))));
  return s * (1.0 + z * (1.0 - s));
}
`;
