/** Finds WebGPU (a browser's `navigator.gpu`, or Dawn in Node), an adapter, and what it offers. */

import type { Capabilities, SubgroupMatrix } from "@ddad/kernels-wgsl";
import { loadDawn } from "#dawn";
import { NoAdapterError } from "../errors.ts";
import type { FeatureName, PowerPreference } from "./webgpuNames.ts";

/** Which adapter is wanted; without options the fastest that WebGPU gives. */
export interface AdapterOptions {
  /** Part of an adapter's name, vendor or architecture (any case). Default: `DDAD_ADAPTER` of the environment. */
  readonly adapter?: string;
  readonly powerPreference?: PowerPreference;
  /** Dawn toggles for Node, such as `enable-dawn-features=disable_robustness`. */
  readonly toggles?: readonly string[];
}

/** A variable of the environment where there is one (Node), else undefined. */
export const environment = (name: string): string | undefined =>
  typeof process === "undefined" ? undefined : process.env?.[name];

/** `vulkan_enable_f16_on_nvidia`: Dawn hides shader-f16 there without it; `timestamp_quantization` coarsens timings. */
const defaultToggles = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model",
  "disable-dawn-features=timestamp_quantization",
];

const describe = ({ description, vendor, architecture, device }: GPUAdapterInfo): string =>
  [description, vendor, architecture, device].filter(Boolean).join(" ");

/** The adapter that the options or `DDAD_ADAPTER` name. Throws NoAdapterError with what to do about it. */
export async function requestAdapter(options: AdapterOptions = {}): Promise<GPUAdapter> {
  const wanted = options.adapter ?? environment("DDAD_ADAPTER");
  const inBrowser = typeof navigator !== "undefined" && navigator.gpu !== undefined;
  const toggles = options.toggles ?? defaultToggles;
  const choose = wanted ? [`adapter=${wanted}`] : [];
  const gpu = inBrowser ? navigator.gpu : await loadDawn([...toggles, ...choose]);
  if (!gpu) {
    throw new NoAdapterError(
      "setupDevice: this browser has no WebGPU (navigator.gpu is missing). Use a browser with WebGPU.",
    );
  }
  const named = wanted ? `named "${wanted}" ` : "";
  const adapter = await gpu
    .requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" })
    .catch((error: Error) => {
      // Dawn rejects where no adapter has the name, and lists those there are.
      const details = error.message.trim().replace(/\s*\n[\s*]*/g, " ");
      throw new NoAdapterError(`setupDevice: no WebGPU adapter ${named}was found (${details}).`);
    });
  if (!adapter) {
    throw new NoAdapterError(
      `setupDevice: no WebGPU adapter ${named}was found. ` +
        "Install a GPU driver with Vulkan 1.3 (Linux), or a software one: Mesa 25 or newer, package mesa-vulkan-drivers.",
    );
  }
  if (wanted && !describe(adapter.info).toLowerCase().includes(wanted.toLowerCase())) {
    throw new NoAdapterError(
      `setupDevice: DDAD_ADAPTER asks for "${wanted}", but the adapter found is "${describe(adapter.info)}".`,
    );
  }
  return adapter;
}

/** The name of an adapter as it is shown to people and written into results. */
export const adapterName = (info: GPUAdapterInfo): string => describe(info) || "unnamed adapter";

function classify(info: GPUAdapterInfo): Capabilities["adapterClass"] {
  const name = describe(info).toLowerCase();
  if (/llvmpipe|lavapipe|swiftshader|software|warp|basic render/.test(name)) return "software";
  return /intel|apple|qualcomm|adreno|mali|arm\b/.test(name) ? "integrated" : "discrete";
}

/** What Dawn lists of an adapter's matrix units; not in the types of WebGPU yet. */
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
  readonly info: GPUAdapterInfo;
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

export function capabilitiesOf(adapter: GPUAdapter): Capabilities {
  const { info, features, limits } = adapter;
  return {
    adapterClass: classify(info),
    f16: features.has("shader-f16"),
    subgroups: features.has("subgroups"),
    subgroupSizes: [info.subgroupMinSize ?? 0, info.subgroupMaxSize ?? 0],
    maxInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    workgroupMemory: limits.maxComputeWorkgroupStorageSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    subgroupMatrix: subgroupMatrixOf(adapter),
  };
}
