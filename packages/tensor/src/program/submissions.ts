/** Cuts a program into submissions: the system takes a long one for a hang, and the device is lost. */
import type { Cost } from "@ddad/kernels-wgsl";

/**
 * What a slow GPU does in a second. Windows gives a submission 2 s, drivers of AMD on Linux 10 s; the training step of the published
 * network with 16 images of 256² has 7 TFLOP.
 */
const inSecond = { flops: 5e11, bytes: 5e10 };

const seconds = ({ flops, bytes }: Cost): number => Math.max(flops / inSecond.flops, bytes / inSecond.bytes);

/**
 * A pure function: the dispatches, ascending, each of which begins a submission after the first; a slow GPU takes a second for one, or
 * for a single dispatch that takes longer.
 */
export function cutSubmissions(dispatches: readonly { readonly cost: Cost | undefined }[]): number[] {
  const cuts: number[] = [];
  let taken = 0;
  dispatches.forEach(({ cost }, index) => {
    const next = cost ? seconds(cost) : 0;
    if (taken > 0 && taken + next > 1) {
      cuts.push(index);
      taken = 0;
    }
    taken += next;
  });
  return cuts;
}
