// A user's own WebGPU code on the engine's device, where WebGPU's types are known.
import { setupDevice } from "@ddad/tensor";

const { gpu } = await setupDevice();
export const buffer: GPUBuffer = gpu.createBuffer({ size: 4, usage: 8 });

// @ts-expect-error a size is a number
gpu.createBuffer({ size: "4", usage: 8 });
