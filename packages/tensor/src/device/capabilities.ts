/** An adapter's capabilities, from what WebGPU reports. */
import type { Capabilities, SubgroupMatrix } from "@ddad/kernels-wgsl";
import type { FeatureName } from "./webgpuNames.ts";

/** All that WebGPU reports of an adapter. */
export const describe = (info: Partial<GPUAdapterInfo>): string =>
  [info.description, info.vendor, info.architecture, info.device].filter(Boolean).join(" ");

/** The name of an adapter as shown to users and written into results. */
export const adapterName = (info: Partial<GPUAdapterInfo>): string => describe(info) || "unnamed adapter";

/** The kind of an adapter, by its name. */
export function classify(adapter: string): Capabilities["adapterClass"] {
  const name = adapter.toLowerCase();
  if (/llvmpipe|lavapipe|swiftshader|software|warp|basic render/.test(name)) return "software";
  return /intel|apple|qualcomm|adreno|mali|arm\b/.test(name) ? "integrated" : "discrete";
}

/** Dawn's list of an adapter's matrix units; not in the types of WebGPU yet. */
interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** The name of the feature in Dawn; not in the types of WebGPU yet. */
export const subgroupMatrixFeature = "chromium-experimental-subgroup-matrix" as FeatureName;

/** Lets a shader ask for a size of its subgroups; not in the types of WebGPU yet. */
export const subgroupSizeFeature = "subgroup-size-control" as FeatureName;

/** The size that the matrix units of AMD (RDNA 3 on) and Intel (Xe2 on) take, among others of their subgroups. */
const usualLanes = 32;

/** The largest unit of f16 operands and f32 sums, where the size of its subgroups is known or can be asked for. */
export function subgroupMatrixOf({
  info,
  features,
}: {
  readonly info: Partial<GPUAdapterInfo>;
  readonly features: ReadonlySet<string>;
}): SubgroupMatrix | undefined {
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = 0 } = info;
  if (!features.has(subgroupMatrixFeature) || most === 0) return undefined;
  const sized = least !== most;
  const lanes = sized ? usualLanes : most;
  if (lanes < least || lanes > most || (sized && !features.has(subgroupSizeFeature))) return undefined;
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: Iterable<MatrixConfig> };
  const [largest] = [...subgroupMatrixConfigs]
    .filter((config) => config.componentType === "f16" && config.resultComponentType === "f32")
    .sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  return largest && { m: largest.M, n: largest.N, k: largest.K, lanes, ...(sized && { sized }) };
}

/** Capabilities for kernels: of a device, which has only what was requested, or of the adapter itself. */
export function capabilitiesOf(
  { features, limits }: { readonly features: ReadonlySet<string>; readonly limits: GPUSupportedLimits },
  info: Partial<GPUAdapterInfo>,
): Capabilities {
  return {
    adapterClass: classify(describe(info)),
    f16: features.has("shader-f16"),
    subgroups: features.has("subgroups"),
    subgroupSizes: [info.subgroupMinSize ?? 0, info.subgroupMaxSize ?? 0],
    maxInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    workgroupMemory: limits.maxComputeWorkgroupStorageSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    subgroupMatrix: subgroupMatrixOf({ info, features }),
  };
}
