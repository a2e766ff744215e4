/** Halving and doubling image sizes: each is the other's gradient up to a factor, so they stand together. */
import { averagePool2 as averageKernel, upsampleNearest2 as nearestKernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./elementwise.ts";

/** Every pixel becomes 2 × 2 equal ones: x [N, H, W, C] → [N, 2H, 2W, C]. */
export const upsampleNearest2 = (x: Tensor): Tensor =>
  record(nearestKernel, { x }, {}, { x: ({ y: g }) => mul(averagePool2(g), 4) }).y;

/** Mean of every 2 × 2 pixels: x [N, 2H, 2W, C] → [N, H, W, C]. */
export const averagePool2 = (x: Tensor): Tensor =>
  record(averageKernel, { x }, {}, { x: ({ y: g }) => mul(upsampleNearest2(g), 0.25) }).y;
