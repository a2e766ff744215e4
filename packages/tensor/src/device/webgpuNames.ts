/**
 * The names of WebGPU that this package's declarations use. TypeScript 6 and later bring them with `lib: ["dom"]`, older ones
 * with `@webgpu/types`, a Node service has neither. Empty interfaces merge with whichever is there, and where nothing is,
 * the declarations still compile: `device.gpu` then is a `GPUDevice` without members.
 * Parameters of these types are therefore not taken apart in a signature: a declaration repeats the names of the members there.
 */

declare global {
  interface GPU {}
  interface GPUAdapter {}
  interface GPUAdapterInfo {}
  interface GPUBindGroup {}
  interface GPUBindGroupLayout {}
  interface GPUBuffer {}
  interface GPUCommandBuffer {}
  interface GPUCommandEncoder {}
  interface GPUComputePassDescriptor {}
  interface GPUComputePassEncoder {}
  interface GPUComputePipeline {}
  interface GPUDevice {}
  interface GPUDeviceDescriptor {}
  interface GPUDeviceLostInfo {}
  interface GPUError {}
  interface GPUPipelineLayout {}
  interface GPUQuerySet {}
  interface GPUQueue {}
  interface GPURequestAdapterOptions {}
  interface GPUShaderModule {}
  interface GPUSupportedLimits {}
}

/** WebGPU's `GPUPowerPreference`. A type alias cannot be merged as an interface can, so it is spelled out. */
export type PowerPreference = "low-power" | "high-performance";

/** WebGPU's `GPUFeatureName` where its types are known, else any string. */
export type FeatureName = GPUDeviceDescriptor extends { requiredFeatures?: Iterable<infer F extends string> }
  ? F
  : string;
