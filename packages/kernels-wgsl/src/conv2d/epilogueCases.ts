/** Convolutions with epilogues. */
import type { Case } from "../kernel.ts";
import type { Epilogue, EpilogueInput } from "../matmul/epilogue.ts";
import type { Shape } from "../spec.ts";
import type { Conv2dAttrs } from "./geometry.ts";

/** (the convolution + in0) + in2. */
const shiftAndAdd = (shape: Shape): Epilogue => ({
  expression: {
    inputs: 3,
    constants: [],
    steps: [
      { op: "add", args: ["in1", "in0"] },
      { op: "add", args: ["s0", "in2"] },
    ],
  },
  product: "in1",
  shape,
});

export const epilogueCases: readonly Case<"x" | "weight" | "bias" | EpilogueInput, Conv2dAttrs>[] = [
  {
    name: "epilogue: a shift of each image, and a residual",
    inputs: { x: [2, 5, 7, 8], weight: [3, 3, 8, 12], bias: [12], in0: [2, 1, 1, 12], in2: [2, 5, 7, 12] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], epilogue: shiftAndAdd([2, 5, 7, 12]) },
  },
  {
    name: "epilogue: many channels",
    inputs: {
      x: [2, 13, 17, 128],
      weight: [3, 3, 128, 128],
      bias: [128],
      in0: [2, 1, 1, 128],
      in2: [2, 13, 17, 128],
    },
    attrs: { stride: 1, padding: [1, 1, 1, 1], epilogue: shiftAndAdd([2, 13, 17, 128]) },
  },
  {
    name: "epilogue: odd channels",
    inputs: { x: [2, 5, 7, 5], weight: [3, 3, 5, 7], in0: [2, 1, 1, 7], in2: [2, 5, 7, 7] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], epilogue: shiftAndAdd([2, 5, 7, 7]) },
  },
  {
    name: "epilogue: 2 groups",
    inputs: { x: [1, 5, 5, 4], weight: [3, 3, 2, 12], bias: [12], in0: [1, 1, 1, 12], in2: [1, 5, 5, 12] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], groups: 2, epilogue: shiftAndAdd([1, 5, 5, 12]) },
  },
  {
    name: "epilogue: 2 groups of odd channels",
    inputs: { x: [1, 5, 5, 4], weight: [3, 3, 2, 6], in0: [1, 1, 1, 6], in2: [1, 5, 5, 6] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], groups: 2, epilogue: shiftAndAdd([1, 5, 5, 6]) },
  },
  {
    name: "epilogue: depthwise",
    inputs: { x: [1, 5, 5, 4], weight: [3, 3, 1, 4], bias: [4], in0: [1, 1, 1, 4], in2: [1, 5, 5, 4] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], groups: 4, epilogue: shiftAndAdd([1, 5, 5, 4]) },
  },
  {
    name: "epilogue: f16, a long sum",
    inputs: {
      x: { shape: [1, 3, 3, 128], dtype: "f16" },
      weight: { shape: [3, 3, 128, 16], dtype: "f16" },
      in0: { shape: [1, 1, 1, 16], dtype: "f16" },
      in2: { shape: [1, 3, 3, 16], dtype: "f16" },
    },
    attrs: { stride: 1, padding: [1, 1, 1, 1], epilogue: shiftAndAdd([1, 3, 3, 16]) },
  },
];
