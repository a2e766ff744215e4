/** The variants of a reduction in which threads share an output: in one pass or, where few workgroups would do much, in two. */
import type { Call, Capabilities, Variant } from "../kernel.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { ceilDiv, type DType, spec } from "../spec.ts";
import {
  type Combination,
  filledParts,
  foldPass,
  subgroupThreads,
  type Threads,
  tileBytes,
  tilesOf,
  workgroupThreads,
} from "./fold.ts";
import { type Layout, layoutOf } from "./loops.ts";

/** Attributes of the reductions: `sum`, `prod`, `max`, `min`, `any` and `all`. */
export interface ReduceAttrs {
  /** The axes to reduce; they become extents of 1. */
  readonly axes: readonly number[];
  /** Type of the result; only sums and products of f16 have a choice: f16 (the default) or f32. */
  readonly dtype?: DType;
}

type ReduceCall = Call<"x", "y", ReduceAttrs, "outputs" | "reduced">;
type ReduceVariant = Variant<"x", "y", ReduceAttrs, "outputs" | "reduced">;

const layoutOfCall = ({ inputs: { x }, attrs }: ReduceCall): Layout => layoutOf(x.shape, attrs.axes, x.dtype);

/** Values per output (on software adapters: per row) below which one thread takes it alone. */
const [fewValues, shortRow] = [16, 256];

/** Whether a thread should take an output as a whole. */
export function isDirect({ adapterClass }: Capabilities, call: ReduceCall): boolean {
  const { reduced } = call.params;
  if (reduced < fewValues) return true;
  return adapterClass === "software" && reduced < shortRow && layoutOfCall(call).along === "reduced";
}

/** The threads of an output, and the parts of its values whose totals a second pass combines. */
interface Sharing {
  readonly name: string;
  admits(caps: Capabilities): boolean;
  threads(caps: Capabilities, layout: Layout): Threads;
  /** Whether a second pass pays. */
  divides(layout: Layout, threads: Threads): boolean;
  /** Parts if it is. */
  parts(layout: Layout, threads: Threads): number;
}

const kibi = 1024;

/** For software adapters: one dispatch is as long as reading some hundred KiB by all cores, and most have few of them. */
const bySubgroups: Sharing = {
  name: "subgroup",
  admits: (caps) => caps.adapterClass === "software" && fixedSubgroup(caps) > 0,
  threads: (caps, layout) => subgroupThreads(layout, fixedSubgroup(caps)),
  divides(layout, threads) {
    const tiles = tilesOf(layout, threads);
    return tiles < 4 && tiles * tileBytes(layout, threads) > 1024 * kibi;
  },
  parts: (layout, threads) => ceilDiv(8, tilesOf(layout, threads)),
};

/**
 * For GPUs: a dispatch costs some microseconds. A workgroup has 32 KiB under way at once, and what it waits for takes well below
 * a microsecond: in the time of a dispatch it reads some hundred KiB.
 */
const byWorkgroups: Sharing = {
  name: "workgroup",
  admits: (caps) => caps.adapterClass !== "software",
  threads: (_caps, layout) => workgroupThreads(layout),
  divides: (layout, threads) => tileBytes(layout, threads) > 256 * kibi && tilesOf(layout, threads) < 512,
  parts: (layout, threads) =>
    Math.min(ceilDiv(tileBytes(layout, threads), 64 * kibi), ceilDiv(1024, tilesOf(layout, threads))),
};

/**
 * Each way with its heuristic division, of which the second always fits; then each with the other division, for autotuning.
 *
 * @param combinationOf how values of x's type become one
 */
export function foldVariants(combinationOf: (x: DType) => Combination): ReduceVariant[] {
  const variant = (
    { name, threads: threadsOf }: Sharing,
    suffix: string,
    partsOf: (layout: Layout, threads: Threads) => number,
  ): ReduceVariant => {
    const sharing = (caps: Capabilities, call: ReduceCall) => {
      const layout = layoutOfCall(call);
      const threads = threadsOf(caps, layout);
      return { layout, threads, parts: filledParts(layout, partsOf(layout, threads)) };
    };
    return {
      name: `${name}${suffix}`,
      scratch(caps, call) {
        const { parts } = sharing(caps, call);
        const { total } = combinationOf(call.inputs.x.dtype);
        return parts === 1 ? {} : { partial: spec([parts, call.params.outputs], total) };
      },
      passes(caps, call) {
        const { layout, threads, parts } = sharing(caps, call);
        const combination = combinationOf(call.inputs.x.dtype);
        const stored = call.outputs.y.dtype;
        if (parts === 1) return [foldPass(combination, layout, threads, { from: "x", to: "y", stored }, 1)];
        const { total } = combination;
        const totals = layoutOf([parts, call.params.outputs], [0], total);
        return [
          {
            label: "partial",
            ...foldPass(combination, layout, threads, { from: "x", to: "partial", stored: total }, parts),
          },
          {
            label: "total",
            ...foldPass(
              combination,
              totals,
              threadsOf(caps, totals),
              { from: "partial", to: "y", stored },
              1,
            ),
          },
        ];
      },
    };
  };
  const usual = (sharing: Sharing): ReduceVariant =>
    variant(sharing, "", (...of) => (sharing.divides(...of) ? sharing.parts(...of) : 1));
  const otherwise = (sharing: Sharing): ReduceVariant[] => {
    const admitted = (caps: Capabilities, call: ReduceCall, divided: boolean): boolean => {
      if (!sharing.admits(caps) || isDirect(caps, call)) return false;
      const layout = layoutOfCall(call);
      const threads = sharing.threads(caps, layout);
      return sharing.divides(layout, threads) === divided && sharing.parts(layout, threads) > 1;
    };
    return [
      {
        ...variant(sharing, ", whole", () => 1),
        when: (caps, call) => admitted(caps, call, true),
      },
      {
        ...variant(sharing, ", divided", sharing.parts),
        when: (caps, call) => admitted(caps, call, false),
      },
    ];
  };
  return [
    { ...usual(bySubgroups), when: bySubgroups.admits },
    usual(byWorkgroups),
    ...otherwise(bySubgroups),
    ...otherwise(byWorkgroups),
  ];
}
