/**
 * Convolutions of images whose channels are no multiple of four, on software adapters: their channels are padded with zeros first, so that
 * the product loads four at once, from the pipeline that serves all other convolutions. A compiler takes as long for loads one by
 * one as for the rest of a tile, and copying the three channels of a photograph takes far less than the product.
 */
import { admits, type Call, grid, type Pass, perThread, type Variant } from "../kernel.ts";
import { loadQuad } from "../matmul/product.ts";
import { registerTiling } from "../matmul/tilings.ts";
import { ceilDiv, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { quotient, uniform } from "../uniform.ts";
import type { Geometry } from "./geometry.ts";

const workgroupSize = 64;

/** A tensor, and which of its axes are the channels that are padded. */
type Tensor = readonly [name: string, whole: TensorSpec, axis: number];

const scratchName = (name: string): string => `${name}Padded`;

const paddedSpec = ([, { shape, dtype }, axis]: Tensor): TensorSpec =>
  spec(
    shape.map((extent, at) => (at === axis ? 4 * ceilDiv(extent, 4) : extent)),
    dtype,
  );

/** Copies rows, from the padded axis on: with zeros for what is missing, or without what is too much. */
function copyPass(what: "pad" | "cut", tensor: Tensor): Pass {
  const [name, { shape, dtype }, axis] = tensor;
  const own = [name, sizeOf(shape.slice(axis))] as const;
  const padded = [scratchName(name), sizeOf(paddedSpec(tensor).shape.slice(axis))] as const;
  const [[source, from], [result, to]] = what === "pad" ? [own, padded] : [padded, own];
  // All widths of results are multiples of four: those of padded channels, and of whole rows of channels in fours.
  const [quads, quadsWide] = [(sizeOf(shape.slice(0, axis)) * to) / 4, to / 4];
  return {
    label: `${what} ${name}`,
    read: { source: dtype },
    write: { result: `vec4<${dtype}>` },
    tensors: { source, result },
    workgroups: grid(ceilDiv(quads, workgroupSize)),
    code: `${loadQuad("source", dtype)}${perThread(
      workgroupSize,
      /* wgsl */ `
  if (i >= ${uniform("quads", quads)}) { return; }
  let row = ${quotient("i", "quadsWide", quadsWide, quads)};
  let column = 4u * (i - row * ${uniform("quadsWide", quadsWide)});
  let width = ${uniform("sourceWidth", from)};
  result[i] = vec4<${dtype}>(sourceQuad(row * width + column, width - column));`,
    )}`,
  };
}

/**
 * The variant of a convolution, or of a gradient of it, for software adapters that has tensors padded.
 *
 * @param variants those of the kernel without it
 * @param side the channels that are padded; the others must be a multiple of four
 * @param axes of these channels in the tensors that have them
 */
export function paddedChannels<I extends string, O extends string, A, P extends string>(
  variants: readonly Variant<I, O, A, P>[],
  geometryOf: (call: Call<I, O, A, P>) => Geometry,
  side: "groupIn" | "groupOut",
  axes: Readonly<Partial<Record<I | O, number>>>,
): Variant<I, O, A, P> {
  const inner = variants.find(({ name }) => name === registerTiling.name)!;
  const tensorsOf = (specs: Readonly<Partial<Record<string, TensorSpec>>>): Tensor[] =>
    Object.entries<number>(axes as Record<string, number>).flatMap(([name, axis]) => {
      const own = specs[name];
      return own ? [[name, own, axis] as const] : [];
    });
  const padded = (specs: Readonly<Partial<Record<string, TensorSpec>>>) => ({
    ...specs,
    ...Object.fromEntries(tensorsOf(specs).map((tensor) => [tensor[0], paddedSpec(tensor)])),
  });
  const paddedCall = (call: Call<I, O, A, P>) =>
    ({ ...call, inputs: padded(call.inputs), outputs: padded(call.outputs) }) as Call<I, O, A, P>;
  /** The pass with the padded tensors in place of those that it was made for. */
  const onPadded = (pass: Pass): Pass => {
    const bindings = Object.keys({ ...pass.read, ...pass.write }).map((binding) => {
      const tensor = pass.tensors?.[binding] ?? binding;
      return [binding, tensor in axes ? scratchName(tensor) : tensor];
    });
    return { ...pass, tensors: Object.fromEntries(bindings) };
  };
  return {
    name: "padded channels",
    when(caps, call) {
      const { groups, groupIn, groupOut } = geometryOf(call);
      const [uneven, even] = side === "groupIn" ? [groupIn, groupOut] : [groupOut, groupIn];
      return (
        groups === 1 &&
        uneven % 4 > 0 &&
        even % 4 === 0 &&
        admits(inner, caps, call) &&
        tensorsOf(call.inputs).every(([, { shape }]) => sizeOf(shape) > 0)
      );
    },
    scratch: (caps, call) => ({
      ...inner.scratch?.(caps, paddedCall(call)),
      ...Object.fromEntries(
        tensorsOf({ ...call.inputs, ...call.outputs }).map((tensor) => [
          scratchName(tensor[0]),
          paddedSpec(tensor),
        ]),
      ),
    }),
    passes: (caps, call) => [
      ...tensorsOf(call.inputs).map((tensor) => copyPass("pad", tensor)),
      ...inner.passes(caps, paddedCall(call)).map(onPadded),
      ...tensorsOf(call.outputs).map((tensor) => copyPass("cut", tensor)),
    ],
  };
}
