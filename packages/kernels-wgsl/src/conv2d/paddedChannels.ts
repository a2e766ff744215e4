/**
 * Convolutions of images whose channels are no multiple of four, on software adapters: their channels are padded with zeros first, so that
 * the product loads four at once, from the pipeline that serves all other convolutions. A compiler takes as long for loads one by
 * one as for the rest of a tile, and copying the three channels of a photograph takes far less than the product.
 */
import { admits, type Call, grid, type Pass, perThread, type Variant } from "../kernel.ts";
import { registerTiling } from "../matmul/tilings.ts";
import { ceilDiv, type DType, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { quotient, uniform } from "../uniform.ts";

const workgroupSize = 64;

/** Channels that fill vectors of four. */
export const wholeChannels = (channels: number): number => 4 * ceilDiv(channels, 4);

/** A tensor as it is, and as the product sees it: the `axis` longer, and axes behind it as they are. */
export interface PaddedTensor {
  readonly name: string;
  readonly spec: TensorSpec;
  readonly axis: number;
}

const scratchName = (name: string): string => `${name}Padded`;

const paddedSpec = ({ spec: { shape, dtype }, axis }: PaddedTensor): TensorSpec =>
  spec(
    shape.map((extent, at) => (at === axis ? wholeChannels(extent) : extent)),
    dtype,
  );

/** Copies `rows` of `from` elements to rows of `to` elements, without what is too much and with zeros for what is missing. */
function copyRows(
  label: string,
  { source, result, dtype }: { source: string; result: string; dtype: DType },
  { rows, from, to }: { rows: number; from: number; to: number },
): Pass {
  const size = rows * to;
  return {
    label,
    read: { source: dtype },
    write: { result: dtype },
    tensors: { source, result },
    workgroups: grid(ceilDiv(size, workgroupSize)),
    code: perThread(
      workgroupSize,
      /* wgsl */ `
  if (i >= ${uniform("size", size)}) { return; }
  let row = ${quotient("i", "resultWidth", to, size)};
  let column = i - row * ${uniform("resultWidth", to)};
  let width = ${uniform("sourceWidth", from)};
  result[i] = select(${dtype}(0), source[row * width + min(column, width - 1u)], column < width);`,
    ),
  };
}

/** The rows of a tensor: what lies in the padded axis and behind it. */
function rowsOf(tensor: PaddedTensor): { rows: number; short: number; long: number } {
  const { shape } = tensor.spec;
  const inner = sizeOf(shape.slice(tensor.axis));
  return {
    rows: sizeOf(shape.slice(0, tensor.axis)),
    short: inner,
    long: sizeOf(paddedSpec(tensor).shape.slice(tensor.axis)),
  };
}

const padPass = (tensor: PaddedTensor): Pass => {
  const { rows, short, long } = rowsOf(tensor);
  const names = { source: tensor.name, result: scratchName(tensor.name), dtype: tensor.spec.dtype };
  return copyRows(`pad ${tensor.name}`, names, { rows, from: short, to: long });
};

const cutPass = (tensor: PaddedTensor): Pass => {
  const { rows, short, long } = rowsOf(tensor);
  const names = { source: scratchName(tensor.name), result: tensor.name, dtype: tensor.spec.dtype };
  return copyRows(`cut ${tensor.name}`, names, { rows, from: long, to: short });
};

/** The pass with the padded tensors in place of those that it was made for. */
function onPadded(pass: Pass, names: readonly string[]): Pass {
  const tensors = { ...pass.tensors };
  for (const binding of Object.keys({ ...pass.read, ...pass.write })) {
    const tensor = tensors[binding] ?? binding;
    if (names.includes(tensor)) tensors[binding] = scratchName(tensor);
  }
  return { ...pass, tensors };
}

/**
 * The variant of a product kernel for software adapters, on padded tensors.
 *
 * @param variants those of the kernel without it
 * @param paddedOf what is padded before the product and cut after it; undefined where a call runs as it is
 */
export function paddedChannels<I extends string, O extends string, A, P extends string>(
  variants: readonly Variant<I, O, A, P>[],
  paddedOf: (
    call: Call<I, O, A, P>,
  ) => { inputs: readonly PaddedTensor[]; outputs: readonly PaddedTensor[] } | undefined,
): Variant<I, O, A, P> {
  const inner = variants.find(({ name }) => name === registerTiling.name)!;
  const wholeCall = (call: Call<I, O, A, P>): Call<I, O, A, P> => {
    const { inputs, outputs } = paddedOf(call)!;
    const specs = (tensors: readonly PaddedTensor[]) =>
      Object.fromEntries(tensors.map((tensor) => [tensor.name, paddedSpec(tensor)]));
    return {
      ...call,
      inputs: { ...call.inputs, ...specs(inputs) },
      outputs: { ...call.outputs, ...specs(outputs) },
    };
  };
  return {
    name: "padded channels",
    when(caps, call) {
      const padded = admits(inner, caps, call) && paddedOf(call);
      return padded ? padded.inputs.every(({ spec: { shape } }) => sizeOf(shape) > 0) : false;
    },
    scratch(caps, call) {
      const { inputs, outputs } = paddedOf(call)!;
      const padded = [...inputs, ...outputs].map((tensor) => [scratchName(tensor.name), paddedSpec(tensor)]);
      return { ...inner.scratch?.(caps, wholeCall(call)), ...Object.fromEntries(padded) };
    },
    passes(caps, call) {
      const { inputs, outputs } = paddedOf(call)!;
      const names = [...inputs, ...outputs].map(({ name }) => name);
      return [
        ...inputs.map(padPass),
        ...inner.passes(caps, wholeCall(call)).map((pass) => onPadded(pass, names)),
        ...outputs.map(cutPass),
      ];
    },
  };
}
