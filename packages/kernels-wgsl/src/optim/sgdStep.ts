/**
 * Stochastic gradient descent with momentum, as PyTorch computes it (no dampening), one parameter a call
 * (or many contiguous ones):
 * `g = gradientScale · gradient + weightDecay · p`, `velocity ← momentum · velocity + g`, `p ← p − learningRate · velocity`.
 * A gradientScale of 0 skips the step: nothing changes. `control` is [learningRate, momentum, weightDecay, gradientScale].
 */
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf } from "../spec.ts";
import { checkState, statePass } from "./control.ts";

const control = { shape: [4], fill: (index: number) => [0.1, 0.9, 0.01, 0.5][index]! };

/** Inputs parameter, gradient and velocity of one shape, control [4], all f32; outputs the next parameter and velocity. */
export const sgdStep = defineKernel({
  name: "sgdStep",
  inputs: ["parameter", "gradient", "velocity", "control"],
  outputs: ["parameterNext", "velocityNext"],
  updates: { parameterNext: "parameter", velocityNext: "velocity" },
  packs: { shared: ["control"] },
  params: { size: "u32" },
  infer({ parameter, gradient, velocity, control }, _attrs: Record<string, never>) {
    checkState("sgdStep", { parameter, gradient, velocity }, control, 4);
    return {
      outputs: { parameterNext: parameter, velocityNext: parameter },
      params: { size: sizeOf(parameter.shape) },
    };
  },
  variants: [
    {
      name: "direct",
      passes: (caps, { inputs }) => [
        statePass(
          caps,
          inputs,
          ["gradient"],
          ["parameterNext", "velocityNext"],
          /* wgsl */ `
    if (control0.w == 0.0) { continue; }
    let old = parameterNext[i];
    let velocity = control0.y * velocityNext[i] + (control0.w * gradient[i] + control0.z * old);
    velocityNext[i] = velocity;
    parameterNext[i] = old - control0.x * velocity;`,
        ),
      ],
    },
  ],
  reference({ parameter, gradient, velocity, control }) {
    const [learningRate, momentum, weightDecay, scale] = control as unknown as [
      number,
      number,
      number,
      number,
    ];
    if (scale === 0) return { parameterNext: parameter.slice(), velocityNext: velocity.slice() };
    const velocityNext = velocity.map(
      (v, i) => momentum * v + scale * gradient[i]! + weightDecay * parameter[i]!,
    );
    return { parameterNext: parameter.map((p, i) => p - learningRate * velocityNext[i]!), velocityNext };
  },
  cost: ({ inputs }) => ({ flops: 7 * sizeOf(inputs.parameter.shape), bytes: 5 * bytesOf(inputs.parameter) }),
  cases: [
    { name: "one element", inputs: { parameter: [1], gradient: [1], velocity: [1], control }, attrs: {} },
    {
      name: "odd size",
      inputs: { parameter: [7, 13], gradient: [7, 13], velocity: [7, 13], control },
      attrs: {},
    },
    {
      name: "skipped",
      inputs: {
        parameter: [7, 13],
        gradient: { shape: [7, 13], fill: () => Infinity },
        velocity: [7, 13],
        control: { shape: [4], fill: (index) => [0.1, 0.9, 0.01, 0][index]! },
      },
      attrs: {},
      tolerance: 0,
    },
    {
      name: "a convolution's weight",
      inputs: {
        parameter: [3, 3, 128, 128],
        gradient: [3, 3, 128, 128],
        velocity: [3, 3, 128, 128],
        control,
      },
      attrs: {},
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { parameter: [4], gradient: [4], velocity: [5], control },
      attrs: {},
      message: /sgdStep: velocity \[5\] must have the shape of parameter \[4\]/,
    },
    {
      inputs: { parameter: [4], gradient: [4], velocity: [4], control: [8] },
      attrs: {},
      message: /sgdStep: control must be \[4\] but is \[8\]/,
    },
  ],
});
