/** The variants of attention and of its gradient, wherever the rows of their operands lie. */
import type { Capabilities } from "../kernel.ts";
import { spec, type TensorSpec } from "../spec.ts";
import {
  fitsProducts,
  forwardProducts,
  forwardScratch,
  gradientProducts,
  gradientScratch,
  winsByProducts,
} from "./matrixProducts.ts";
import { fitsTiles, forwardTiles, keyGradientTiles, queryGradientTiles } from "./registerTiles.ts";
import { type AttentionAttrs, type AttentionLayout, forwardOutputs } from "./shared.ts";
import { forwardWorkgroups, keyGradientWorkgroups, queryGradientWorkgroups } from "./workgroupTiles.ts";

/** The parts of a call that decide its passes; `I` are the inputs that hold q, k and v. */
interface AttentionCall<I extends string> {
  readonly inputs: Readonly<Record<I, TensorSpec>>;
  readonly attrs: AttentionAttrs;
}

/** How a call's operands lie, from its inputs. */
type LayoutOf<I extends string> = (
  inputs: Readonly<Record<I, TensorSpec>>,
  attrs: AttentionAttrs,
) => AttentionLayout;

type Fits = (caps: Capabilities, layout: AttentionLayout) => boolean;

/** Its name where only `tune` takes it. */
const measured = "matrix products, autotuned";

export function forwardVariants<I extends string>(layoutOf: LayoutOf<I>) {
  const products = (name: string, fits: Fits) => ({
    name,
    when: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) => fits(caps, layoutOf(inputs, attrs)),
    scratch: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) =>
      forwardScratch(caps, layoutOf(inputs, attrs)),
    passes: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) =>
      forwardProducts(caps, layoutOf(inputs, attrs)),
  });
  return [
    products("matrix products", winsByProducts),
    {
      name: "register tiles",
      when: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) =>
        fitsTiles(caps, layoutOf(inputs, attrs)),
      passes: (_caps: Capabilities, { inputs, attrs }: AttentionCall<I>) => [
        forwardTiles(layoutOf(inputs, attrs)),
      ],
    },
    {
      name: "workgroup tiles",
      passes: (_caps: Capabilities, { inputs, attrs }: AttentionCall<I>) => [
        forwardWorkgroups(layoutOf(inputs, attrs)),
      ],
    },
    products(measured, fitsProducts),
  ];
}

export function gradientVariants<I extends string>(layoutOf: LayoutOf<I>) {
  const products = (name: string, fits: Fits) => ({
    name,
    when: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) => fits(caps, layoutOf(inputs, attrs)),
    scratch: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) =>
      gradientScratch(caps, layoutOf(inputs, attrs)),
    passes: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) =>
      gradientProducts(caps, layoutOf(inputs, attrs)),
  });
  /** δ of each query, passed from the pass over queries to the pass over keys. */
  const scratch = (_caps: Capabilities, { inputs, attrs }: AttentionCall<I>) => ({
    delta: spec(forwardOutputs(layoutOf(inputs, attrs)).logSumExp.shape),
  });
  return [
    products("matrix products", winsByProducts),
    {
      name: "register tiles",
      when: (caps: Capabilities, { inputs, attrs }: AttentionCall<I>) =>
        fitsTiles(caps, layoutOf(inputs, attrs)),
      scratch,
      passes(_caps: Capabilities, { inputs, attrs }: AttentionCall<I>) {
        const layout = layoutOf(inputs, attrs);
        return [queryGradientTiles(layout), keyGradientTiles(layout)];
      },
    },
    {
      name: "workgroup tiles",
      scratch,
      passes(_caps: Capabilities, { inputs, attrs }: AttentionCall<I>) {
        const layout = layoutOf(inputs, attrs);
        return [queryGradientWorkgroups(layout), keyGradientWorkgroups(layout)];
      },
    },
    products(measured, fitsProducts),
  ];
}
