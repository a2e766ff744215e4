/** The one device of the process: made by `setupDevice()`, found again by `currentDevice()`. */

import type { Capabilities } from "@ddad/kernels-wgsl";
import { anotherDevice, loadGlobals } from "#dawn";
import { DeviceLostError, LimitError, NoAdapterError, UsageError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import { loadTuning } from "../tuning/store.ts";
import { Tuning } from "../tuning/table.ts";
import { type AdapterOptions, requestAdapter } from "./adapter.ts";
import { BufferPool } from "./buffers.ts";
import { adapterName, capabilitiesOf, subgroupMatrixFeature, subgroupSizeFeature } from "./capabilities.ts";
import { toError } from "./errorScopes.ts";
import { PipelineCache } from "./pipelines.ts";
import type { FeatureName } from "./webgpuNames.ts";
import { Workspace } from "./workspace.ts";

const maxOutstanding = 4;

/** A WebGPU device with its capabilities, buffers and pipelines. */
export class Device {
  /** The WebGPU device, for shaders of your own. */
  readonly gpu: GPUDevice;
  /** Name of the GPU or of the driver, as the adapter reports it. */
  readonly name: string;
  /** What kernels may use on it. */
  readonly capabilities: Capabilities;
  /** @internal */
  readonly buffers: BufferPool;
  /** @internal */
  readonly pipelines: PipelineCache;
  /** @internal */
  readonly workspace: Workspace;
  /** Variants that `tune` found to be the fastest; `tuning.forget()` returns to those of the heuristic. */
  readonly tuning = new Tuning();
  /**
   * In Node, called while the kernels of a program that runs for the first time are compiled, where there are several: how many are ready,
   * and of how many. On slow adapters that takes seconds.
   */
  onCompile: ((done: number, total: number) => void) | undefined;
  /** @internal Another device on the same adapter, where compiling ahead on several pays. */
  another: (() => Promise<GPUDevice>) | undefined;
  #failure: Error | undefined;
  readonly #submitted: Promise<unknown>[] = [];
  /** Tail of the queue of evaluations: they encode one after another, in the order of the calls. */
  #tail: Promise<unknown> = Promise.resolve();

  /** Whether the caller owns the GPUDevice. */
  readonly #borrowed: boolean;

  /**
   * @param info of the adapter, where known
   * @param borrowed whether the caller owns the GPUDevice, destroys it, and handles errors of other work on it
   */
  constructor(gpu: GPUDevice, info: Partial<GPUAdapterInfo>, borrowed = false) {
    this.gpu = gpu;
    this.#borrowed = borrowed;
    this.name = adapterName(info);
    this.capabilities = capabilitiesOf(gpu, info);
    this.buffers = new BufferPool(gpu, failOf(new WeakRef(this)));
    this.pipelines = new PipelineCache(gpu);
    this.workspace = new Workspace(this.buffers);
    if (!borrowed) gpu.addEventListener("uncapturederror", this.#onError);
    void gpu.lost.then(({ reason, message }) => {
      this.#lose(`The device was lost (${reason}): ${message} Call setupDevice() again and reload.`);
    });
  }

  readonly #onError = ({ error }: GPUUncapturedErrorEvent): void => this.fail(toError(error));

  /** The device is gone, for whatever reason came first. */
  #lose(message: string): void {
    this.gpu.removeEventListener("uncapturederror", this.#onError); // Dawn would hold it, and with it all that is here
    const error = new DeviceLostError(message);
    this.fail(error);
    if (current !== this) return;
    current = undefined;
    lost = error;
  }

  /** @internal Remembers the first failure; the next evaluation is rejected with it. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  /** @internal Throws the remembered failure. A lost device stays lost; other failures are reported once. */
  throwFailure(): void {
    const failure = this.#failure;
    if (!failure) return;
    if (!(failure instanceof DeviceLostError)) this.#failure = undefined;
    throw failure;
  }

  /**
   * Runs `work` after all earlier work given to this function, and once it is known which buffers there is memory for.
   * @internal
   */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => this.buffers.answered()).then(work);
    const done = (): void => undefined; // forgets the result, which would keep its buffers
    this.#tail = result.then(done, done);
    return result;
  }

  /**
   * Waits while more than a few submissions are outstanding, so that a fast host does not run far ahead.
   * @internal
   */
  async backPressure(): Promise<void> {
    this.#submitted.push(this.gpu.queue.onSubmittedWorkDone());
    if (this.#submitted.length > maxOutstanding) await this.#submitted.shift();
  }

  /** Bytes of the largest tensor that the adapter can bind. */
  get largestTensor(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.gpu.limits;
    return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  }

  /** @internal Throws LimitError when one tensor is larger than the adapter can bind. */
  checkSize(bytes: number, what: string): void {
    const limit = this.largestTensor;
    if (bytes <= limit) return;
    const which = limit === this.gpu.limits.maxBufferSize ? "maxBufferSize" : "maxStorageBufferBindingSize";
    throw new LimitError(
      `${what} needs ${sizeText(bytes)} in one buffer, but ${which} of ${this.name} is ${sizeText(limit)}. ` +
        "Use a smaller micro-batch or smaller images.",
    );
  }

  /**
   * Frees everything. Tensors of this device can no longer be used. A GPUDevice that was handed to `setupDevice` lives on.
   */
  destroy(): void {
    this.#lose("The device was destroyed. Call setupDevice() again and reload.");
    if (this.#borrowed) {
      this.workspace.clear();
      this.buffers.destroyAll();
    } else {
      this.gpu.destroy();
    }
  }
}

function sizeText(bytes: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log2(bytes) / 10), 2), 6);
  const amount = bytes / 2 ** (10 * power);
  return `${amount < 1e4 ? amount.toFixed(1) : amount.toPrecision(3)} ${["MiB", "GiB", "TiB", "PiB", "EiB"][power - 2]}`;
}

/**
 * `fail` of a device for its pool, which must not keep the device: registries of what is to be freed keep the pool. A function of its own,
 * because all closures of a function keep what one of them uses.
 */
const failOf =
  (device: WeakRef<Device>) =>
  (error: Error): void =>
    device.deref()?.fail(error);

let current: Device | undefined;
/** Why the former device is gone. */
let lost: DeviceLostError | undefined;
let pending: Promise<Device> | undefined;

/** The device made by `setupDevice()`. Throws NoAdapterError where there is none yet, DeviceLostError after a loss. */
export function currentDevice(): Device {
  if (!current && lost) throw lost;
  if (!current) throw new NoAdapterError("There is no device yet. Call `await setupDevice()` first.");
  return current;
}

/** Options of `setupDevice`: the adapter to request, or an existing device. */
export interface SetupOptions extends AdapterOptions {
  /**
   * A GPUDevice of the program's own, whose queue the library then shares and which it never destroys. Any will do; the library uses the
   * features and limits that it has, so request it by `adapter.requestDevice(deviceDescriptor(adapter))` for the fastest kernels and the
   * largest tensors. Do not keep error scopes of your own open while the library works. The other options are ignored.
   */
  readonly device?: GPUDevice;
}

const known = ["adapter", "powerPreference", "toggles", "device"] as const;

/**
 * Finds an adapter (a browser's `navigator.gpu`, or Dawn in Node), requests a device with all its limits, and makes it
 * the current one. What `tune` has stored of this adapter is read first. Later calls return the same device until it is lost or
 * destroyed.
 *
 * @throws NoAdapterError where there is no such adapter, or (in Node) the package `webgpu` is missing or does not load; UsageError where
 * a device is handed in and another one is current
 */
export async function setupDevice(options: SetupOptions = {}): Promise<Device> {
  const { device: given } = checkOptions("setupDevice", options, known);
  if (given !== undefined && typeof given?.createBuffer !== "function") {
    throw new TypeError("setupDevice: the option device must be a GPUDevice.");
  }
  if (!current) {
    pending ??= openDevice(options).finally(() => {
      pending = undefined;
    });
  }
  const device = current ?? (await pending!);
  if (given && device.gpu !== given) {
    throw new UsageError(
      `setupDevice: a device on ${device.name} is current; call its destroy() before another one is handed in.`,
    );
  }
  return device;
}

/** Optional features that kernels use. */
const wantedFeatures: readonly FeatureName[] = [
  "shader-f16",
  "subgroups",
  "timestamp-query",
  subgroupMatrixFeature,
  subgroupSizeFeature,
];
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxStorageBuffersPerShaderStage",
  "minStorageBufferOffsetAlignment",
] as const;

/** What to request of an adapter so that the library can use all that it has; for programs that make their own device. */
export const deviceDescriptor = (
  adapter: GPUAdapter,
): { requiredFeatures: FeatureName[]; requiredLimits: Record<string, number> } => ({
  requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
  requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
});

async function openDevice(options: SetupOptions): Promise<Device> {
  const device = options.device ? await adopt(options.device) : await request(options);
  await loadTuning(device);
  current = device;
  lost = undefined;
  return device;
}

async function request(options: AdapterOptions): Promise<Device> {
  const adapter = await requestAdapter(options);
  const device = new Device(await adapter.requestDevice(deviceDescriptor(adapter)), adapter.info);
  device.another = anotherDevice(device.name, options, async () => {
    const again = await requestAdapter(options);
    return again.requestDevice(deviceDescriptor(again));
  });
  return device;
}

async function adopt(gpu: GPUDevice): Promise<Device> {
  // In Node they may live in Dawn's package alone.
  if (typeof GPUBufferUsage === "undefined") await loadGlobals();
  return new Device(gpu, gpu.adapterInfo ?? {}, true);
}
