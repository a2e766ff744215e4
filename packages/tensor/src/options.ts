/** Options of calls from JavaScript, or from TypeScript that runs unchecked. */
import { UsageError } from "./errors.ts";
import { describeValue } from "./values.ts";

/** Names that options have in other libraries, but for those that only underscores tell from ours. */
const otherNames: Readonly<Record<string, string>> = {
  lr: "learningRate",
  rate: "learningRate",
  betas: "beta1 and beta2",
  eps: "epsilon",
  rho: "decay",
  alpha: "decay",
  average: "ema",
  keepdim: "keepDims",
  keepdims: "keepDims",
  dim: "axis",
  unbiased: "correction",
  kernel: "kernelSize",
  pad: "padding",
  pads: "padding",
  strides: "stride",
  group: "groups",
  num_groups: "groups",
  is_causal: "causal",
  attn_mask: "mask",
  padding_idx: "paddingIndex",
  elementwise_affine: "affine",
};

/** `batch_size` as `batchSize`. */
const inCamelCase = (name: string): string =>
  name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/**
 * The options. Throws UsageError unless they are an object whose names are all `known`: a misspelt option must not be ignored. `example` shows
 * one where an option is required.
 */
export function checkOptions<O extends object>(
  op: string,
  options: O,
  known: readonly (keyof O & string)[],
  example = `{ ${known[0]}: … }`,
): O {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new UsageError(
      `${op}: the options must be an object, as in ${example}, but are ${Array.isArray(options) ? "an array" : describeValue(options)}.`,
    );
  }
  for (const name of Object.keys(options)) {
    if ((known as readonly string[]).includes(name)) continue;
    const meant = otherNames[name] ?? inCamelCase(name);
    const cure = (known as readonly string[]).includes(meant.split(" ")[0]!)
      ? `Use ${meant}.`
      : `The options are ${known.join(", ")}.`;
    throw new UsageError(`${op}: there is no option ${name}. ${cure}`);
  }
  return options;
}
