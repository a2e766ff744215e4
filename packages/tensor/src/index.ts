export {
  type DataOf,
  type DType,
  type Float,
  KernelError,
  type Shape,
  ShapeError,
  type TensorData,
  type TensorSpec,
} from "@ddad/kernels-wgsl";
export { type GradOptions, grad, valueAndGrad } from "./autograd/grad.ts";
export { recompute } from "./autograd/recompute.ts";
export { compile, type Tensors } from "./compile.ts";
export {
  type ArangeOptions,
  arange,
  type CreateOptions,
  type Element,
  eye,
  full,
  linspace,
  type Nested,
  ones,
  onesLike,
  type TypedArray,
  tensor,
  type Values,
  variable,
  zeros,
  zerosLike,
} from "./create.ts";
export { type AdapterDescription, type AdapterOptions, listAdapters } from "./device/adapter.ts";
export { currentDevice, Device, deviceDescriptor, type SetupOptions, setupDevice } from "./device/device.ts";
export type { PowerPreference } from "./device/webgpuNames.ts";
export * from "./errors.ts";
export { evaluate } from "./evaluate.ts";
export { explain } from "./explain.ts";
export { type Memory, memory } from "./memory.ts";
export { type PlannedBytes, planBytes } from "./planBytes.ts";

import "./methods.ts";

export * from "./ops/index.ts";
export { type Profile, type ProfileRow, profile } from "./profile.ts";
export { type Composition, type OpGradients, record, zeroGradient } from "./record.ts";
export { type AnyTensor, type AnyVariable, Tensor, Variable } from "./tensor.ts";
export { type TuneOptions, type TuneReport, type TuneRow, tune } from "./tune.ts";
