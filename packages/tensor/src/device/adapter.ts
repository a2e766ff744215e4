/** Finds WebGPU (a browser's `navigator.gpu`, or Dawn in Node) and the adapters that it offers. */
import type { Capabilities } from "@ddad/kernels-wgsl";
import { dawnAdapters, loadDawn } from "#dawn";
import { NoAdapterError } from "../errors.ts";
import { adapterName, classify } from "./capabilities.ts";
import type { PowerPreference } from "./webgpuNames.ts";

/** Which adapter is wanted; without options the fastest that WebGPU gives. */
export interface AdapterOptions {
  /**
   * Part of an adapter's name, vendor or architecture (any case), or its index in `listAdapters()`. Default: `DDAD_ADAPTER` in the
   * environment, where a number that is no index counts as part of a name.
   */
  readonly adapter?: string | number;
  /** Which adapter is taken where none is named. Default: high-performance. */
  readonly powerPreference?: PowerPreference;
  /** Dawn toggles for Node, such as `enable-dawn-features=disable_robustness`. */
  readonly toggles?: readonly string[];
}

/** One of the adapters that `setupDevice` can take. */
export interface AdapterDescription {
  /** For the option `adapter` of `setupDevice`, and for `DDAD_ADAPTER`. */
  readonly index: number;
  /** Name of the GPU or of the driver, as the adapter reports it. */
  readonly name: string;
  /** `software`: a CPU emulates a GPU. */
  readonly adapterClass: Capabilities["adapterClass"];
  /** Whether WebGPU can open this one: of several with one name, Dawn opens only the first. */
  readonly selectable: boolean;
}

/** An adapter that can be taken. */
export interface Candidate {
  readonly name: string;
  readonly selectable: boolean;
  /** Rejects with NoAdapterError where WebGPU cannot open this one. */
  request(): Promise<GPUAdapter>;
}

/** A variable of the environment where there is one (Node), else undefined. */
export const environment = (name: string): string | undefined =>
  typeof process === "undefined" ? undefined : process.env?.[name];

/** `vulkan_enable_f16_on_nvidia`: Dawn hides shader-f16 there without it; `timestamp_quantization` coarsens timings. */
const defaultToggles = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model",
  "disable-dawn-features=timestamp_quantization",
];

/** The browser's own WebGPU, or undefined where there is none (Node). */
const browserGpu = (): GPU | undefined => (typeof navigator === "undefined" ? undefined : navigator.gpu);

/**
 * The adapters of this machine; the first is the one that `setupDevice` takes. A browser lists two at most: the fastest, and the one that
 * saves power where it is another.
 *
 * @throws NoAdapterError where there is no WebGPU
 */
export async function listAdapters({
  toggles,
}: Pick<AdapterOptions, "toggles"> = {}): Promise<AdapterDescription[]> {
  const found = await candidates(toggles);
  return found.map(({ name, selectable }, index) => ({
    index,
    name,
    adapterClass: classify(name),
    selectable,
  }));
}

/** The adapter that the options or `DDAD_ADAPTER` name. Throws NoAdapterError, which names the cure. */
export async function requestAdapter(options: AdapterOptions = {}): Promise<GPUAdapter> {
  const named = environment("DDAD_ADAPTER") || undefined;
  const wanted = options.adapter ?? named;
  if (wanted !== undefined)
    return choose(await candidates(options.toggles), wanted, options.adapter === undefined);
  const gpu = await openGpu(options.toggles);
  const powerPreference = options.powerPreference ?? "high-performance";
  const adapter = await gpu.requestAdapter({ powerPreference }).catch((error: Error) => {
    throw new NoAdapterError(`setupDevice: WebGPU gives no adapter (${error.message.trim()}).`);
  });
  if (!adapter) throw noAdapter();
  return adapter;
}

/** The adapter of this index, or the first whose name contains the text. */
function choose(
  found: readonly Candidate[],
  wanted: string | number,
  fromEnvironment: boolean,
): Promise<GPUAdapter> {
  if (found.length === 0) throw noAdapter();
  // A text that is an index: from the environment everything is text.
  const isIndex =
    typeof wanted === "number" || (fromEnvironment && /^\d+$/.test(wanted) && found[Number(wanted)]);
  const chosen = isIndex
    ? found[Number(wanted)]
    : found.find(({ name }) => name.toLowerCase().includes(String(wanted).toLowerCase()));
  if (chosen) return chosen.request();
  const what = typeof wanted === "number" ? `with index ${wanted}` : `named "${wanted}"`;
  const source = fromEnvironment ? ", which DDAD_ADAPTER asks for" : "";
  const list = found.map(({ name }, index) => `${index} "${name}"`).join(", ");
  throw new NoAdapterError(
    `setupDevice: there is no WebGPU adapter ${what}${source}; take part of a name or an index of these: ${list}.`,
  );
}

const noAdapter = (): NoAdapterError =>
  new NoAdapterError(
    browserGpu()
      ? "setupDevice: this browser offers no WebGPU adapter; enable its hardware acceleration, or use another browser."
      : "setupDevice: no WebGPU adapter was found. " +
          "Install a GPU driver with Vulkan 1.3 (Linux), or a software one: Mesa 25 or newer, package mesa-vulkan-drivers.",
  );

async function openGpu(toggles: readonly string[] = defaultToggles): Promise<GPU> {
  const gpu = browserGpu() ?? (await loadDawn(toggles));
  if (gpu) return gpu;
  throw new NoAdapterError(
    "setupDevice: this browser has no WebGPU (navigator.gpu is missing). Use a browser with WebGPU.",
  );
}

async function candidates(toggles: readonly string[] = defaultToggles): Promise<Candidate[]> {
  const gpu = browserGpu();
  if (gpu) return browserAdapters(gpu);
  await openGpu(toggles);
  return dawnAdapters((flags) => openGpu([...toggles, ...flags]));
}

/** The fastest adapter, and the low-power one if it differs. */
export async function browserAdapters(gpu: GPU): Promise<Candidate[]> {
  const found = new Map<string, Candidate>();
  for (const powerPreference of ["high-performance", "low-power"] as const) {
    const adapter = await gpu.requestAdapter({ powerPreference });
    if (!adapter) continue;
    const name = adapterName(adapter.info);
    const request = async (): Promise<GPUAdapter> => {
      const again = await gpu.requestAdapter({ powerPreference });
      if (!again) throw noAdapter();
      return again;
    };
    if (!found.has(name)) found.set(name, { name, selectable: true, request });
  }
  return [...found.values()];
}
