/** Gradient of the cosine distance along the last axis. */
import { check } from "../errors.ts";
import { defineKernel, grid, type Pass, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, sameShape, show, sizeOf, spec } from "../spec.ts";
import { cosineParts, pairCases } from "./cosineDistance.ts";
import {
  type CosineDistanceAttrs,
  foldPass,
  type PairSizes,
  type PairTiling,
  pairParams,
  pairPass,
  pairScratch,
  pairSizes,
  pairWidth,
  serialPairs,
  workgroupPairs,
} from "./pairs.ts";

const name = "cosineDistanceGradient";

/** Loads of a thread of the last pass, which share the loads of the row's factors. */
const strip = 4;

/** Row → (factor of the other operand in both gradients, of a in aGradient, of b in bGradient, unused). */
const factorPass = (sizes: PairSizes, tiling: PairTiling): Pass =>
  foldPass(
    sizes,
    tiling,
    { read: { gradient: "f32" }, write: { factors: "vec4<f32>" } },
    /* wgsl */ `
  let lengths = sqrt(sums.y) * sqrt(sums.z);
  let cross = -gradient[i] / max(lengths, params.epsilon);
  var own = vec2f();
  if (lengths > params.epsilon) { own = -cross * sums.x / sums.yz; }
  factors[i] = vec4f(cross, own, 0.0);`,
  );

function applyPass(sizes: PairSizes): Pass {
  const width = pairWidth(sizes);
  const type = width === 4 ? "vec4<f32>" : "f32";
  return {
    label: "apply",
    read: { a: type, b: type, factors: "vec4<f32>" },
    write: { aGradient: type, bGradient: type },
    workgroups: grid(ceilDiv(sizes.rows * ceilDiv(sizes.columns / width, strip), 64)),
    code: perThread(
      64,
      /* wgsl */ `
  let length = params.columns / ${width}u;
  let strips = (length + ${strip - 1}u) / ${strip}u;
  let row = i / strips;
  if (row >= params.rows) { return; }
  let factor = factors[row];
  let end = (row + 1u) * length;
  for (var at = row * length + i % strips; at < end; at += strips) {
    let left = a[at];
    let right = b[at];
    aGradient[at] = factor.x * right + factor.y * left;
    bGradient[at] = factor.x * left + factor.z * right;
  }`,
    ),
  };
}

const passes = (sizes: PairSizes, tiling: PairTiling) => [
  pairPass(sizes, tiling),
  factorPass(sizes, tiling),
  applyPass(sizes),
];

const scratch = (sizes: PairSizes, tiling: PairTiling) => ({
  ...pairScratch(sizes, tiling),
  factors: spec([sizes.rows, 4]),
});

/**
 * With c = a·b / (|a| |b|): da = −g (b / (|a| |b|) − c a / |a|²), db likewise; where |a| |b| ≤ ε the denominator is the
 * constant ε and da = −g b / ε. Inputs a, b [..., C], gradient of y [...]; outputs aGradient, bGradient [..., C].
 */
export const cosineDistanceGradient = defineKernel({
  name,
  inputs: ["a", "b", "gradient"],
  outputs: ["aGradient", "bGradient"],
  params: pairParams,
  infer({ a, b, gradient }, { epsilon }: CosineDistanceAttrs) {
    const { rows, columns } = pairSizes(name, { a, b });
    check(
      gradient.dtype === "f32",
      name,
      () => `gradient must be f32 but is ${gradient.dtype}; cast it first.`,
    );
    check(
      sameShape(gradient.shape, a.shape.slice(0, -1)),
      name,
      () =>
        `gradient must be ${show(a.shape.slice(0, -1))}, a ${show(a.shape)} without its last axis, but is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { aGradient: spec(a.shape), bGradient: spec(b.shape) },
      params: { rows, columns, epsilon },
    };
  },
  variants: [
    {
      name: "block per thread",
      when: ({ adapterClass }) => adapterClass === "software",
      scratch: (_caps, { params }) => scratch(params, serialPairs),
      passes: (_caps, { params }) => passes(params, serialPairs),
    },
    {
      name: "block per workgroup",
      scratch: (_caps, { params }) => scratch(params, workgroupPairs),
      passes: (_caps, { params }) => passes(params, workgroupPairs),
    },
  ],
  reference({ a, b, gradient }, { attrs: { epsilon }, params: { rows, columns } }) {
    const aGradient = new Float64Array(a.length);
    const bGradient = new Float64Array(b.length);
    for (let row = 0; row < rows; row++) {
      const { product, lengths, squareA, squareB } = cosineParts(a, b, row, columns);
      const g = gradient[row]!;
      for (let i = row * columns; i < (row + 1) * columns; i++) {
        if (lengths > epsilon) {
          const cosine = product / lengths;
          aGradient[i] = -g * (b[i]! / lengths - (cosine * a[i]!) / squareA);
          bGradient[i] = -g * (a[i]! / lengths - (cosine * b[i]!) / squareB);
        } else {
          aGradient[i] = (-g * b[i]!) / epsilon;
          bGradient[i] = (-g * a[i]!) / epsilon;
        }
      }
    }
    return { aGradient, bGradient };
  },
  cost: ({ inputs }) => ({ flops: 12 * sizeOf(inputs.a.shape), bytes: 4 * bytesOf(inputs.a) }),
  cases: [
    ...pairCases((a, b, gradient) => ({ a, b, gradient })).filter(({ name }) => name !== "one element"),
    // Above ε the gradient of a single element is zero, the difference of two equal terms; below it is not.
    { name: "one element, below ε", inputs: { a: [1], b: [1], gradient: [] }, attrs: { epsilon: 10 } },
    {
      name: "a row of zeros",
      inputs: {
        a: { shape: [3, 5], fill: (index, uniform) => (index < 5 ? 0 : uniform() - 0.5) },
        b: [3, 5],
        gradient: [3],
      },
      attrs: { epsilon: 0.01 },
    },
  ],
  refusals: [
    {
      inputs: { a: [2, 3], b: [2, 3], gradient: [3] },
      attrs: { epsilon: 1e-8 },
      message:
        /cosineDistanceGradient: gradient must be \[2\], a \[2, 3\] without its last axis, but is \[3\]/,
    },
    {
      inputs: { a: [2, 3], b: [2, 4], gradient: [2] },
      attrs: { epsilon: 1e-8 },
      message: /cosineDistanceGradient: a and b must have one shape/,
    },
  ],
});
