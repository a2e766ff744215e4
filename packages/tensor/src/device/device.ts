/** The one device of the process: made by `setupDevice()`, found again by `currentDevice()`. */
import type { Capabilities } from "@ddad/kernels-wgsl";
import { DeviceLostError, LimitError, NoAdapterError } from "../errors.ts";
import { loadTuning } from "../tuning/store.ts";
import { Tuning } from "../tuning/table.ts";
import {
  type AdapterOptions,
  adapterName,
  capabilitiesOf,
  requestAdapter,
  subgroupMatrixFeature,
  subgroupSizeFeature,
} from "./adapter.ts";
import { BufferPool } from "./buffers.ts";
import { toError } from "./errorScopes.ts";
import { PipelineCache } from "./pipelines.ts";
import { Workspace } from "./workspace.ts";

const maxOutstanding = 4;

/** A WebGPU device with its capabilities, buffers and pipelines. */
export class Device {
  readonly gpu: GPUDevice;
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly buffers: BufferPool;
  readonly pipelines: PipelineCache;
  readonly workspace: Workspace;
  /** Variants that `tune` found to be the fastest; `tuning.forget()` goes back to those taken without measuring. */
  readonly tuning = new Tuning();
  #failure: Error | undefined;
  readonly #submitted: Promise<unknown>[] = [];
  /** Tail of the chain of evaluations: one encodes at a time, in the order they were asked for. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(gpu: GPUDevice, adapter: GPUAdapter) {
    this.gpu = gpu;
    this.name = adapterName(adapter.info);
    this.capabilities = capabilitiesOf(adapter);
    this.buffers = new BufferPool(gpu, (error) => this.fail(error));
    this.pipelines = new PipelineCache(gpu);
    this.workspace = new Workspace(this.buffers);
    gpu.addEventListener("uncapturederror", ({ error }) => this.fail(toError(error)));
    void gpu.lost.then(({ reason, message }) => {
      const error = new DeviceLostError(
        `The device was lost (${reason}): ${message} Call setupDevice() again and reload.`,
      );
      this.fail(error);
      if (current !== this) return;
      current = undefined;
      lost = error;
    });
  }

  /** Remembers the first failure; the next evaluation is rejected with it. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  /** Throws the remembered failure. A lost device stays lost; other failures are reported once. */
  throwFailure(): void {
    const failure = this.#failure;
    if (!failure) return;
    if (!(failure instanceof DeviceLostError)) this.#failure = undefined;
    throw failure;
  }

  /** Runs `work` after all earlier work given to this function, and once it is known which buffers there is memory for. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => this.buffers.answered()).then(work);
    const done = (): void => undefined; // forgets the result, which would keep its buffers
    this.#tail = result.then(done, done);
    return result;
  }

  /** Waits while more than a few submissions are outstanding, so that a fast host does not run far ahead. */
  async backPressure(): Promise<void> {
    this.#submitted.push(this.gpu.queue.onSubmittedWorkDone());
    if (this.#submitted.length > maxOutstanding) await this.#submitted.shift();
  }

  /** Bytes of the largest tensor that the adapter can bind. */
  get largestTensor(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.gpu.limits;
    return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  }

  /** Throws LimitError when one tensor is larger than the adapter can bind. */
  checkSize(bytes: number, what: string): void {
    const limit = this.largestTensor;
    if (bytes <= limit) return;
    const which = limit === this.gpu.limits.maxBufferSize ? "maxBufferSize" : "maxStorageBufferBindingSize";
    throw new LimitError(
      `${what} needs ${megabytes(bytes)} in one buffer, but ${which} of ${this.name} is ${megabytes(limit)}. ` +
        "Use a smaller micro-batch or smaller images.",
    );
  }

  /** Frees everything. Tensors of this device can no longer be used. */
  destroy(): void {
    if (current === this) current = undefined;
    this.gpu.destroy();
  }
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

let current: Device | undefined;
/** Why there is none, if there was one. */
let lost: DeviceLostError | undefined;
let pending: Promise<Device> | undefined;

/** The device made by `setupDevice()`. Throws NoAdapterError where there is none yet, DeviceLostError after a loss. */
export function currentDevice(): Device {
  if (!current && lost) throw lost;
  if (!current) throw new NoAdapterError("There is no device yet. Call `await setupDevice()` first.");
  return current;
}

/**
 * Finds an adapter (a browser's `navigator.gpu`, or Dawn in Node), requests a device with all its limits, and makes it
 * the current one. What `tune` has stored of this adapter is read first. Later calls return the same device until it is lost or
 * destroyed. Throws NoAdapterError.
 */
export function setupDevice(options: AdapterOptions = {}): Promise<Device> {
  if (current) return Promise.resolve(current);
  pending ??= openDevice(options).finally(() => {
    pending = undefined;
  });
  return pending;
}

const wantedFeatures: readonly GPUFeatureName[] = [
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

async function openDevice(options: AdapterOptions): Promise<Device> {
  const adapter = await requestAdapter(options);
  const gpu = await adapter.requestDevice({
    requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
  });
  const device = new Device(gpu, adapter);
  await loadTuning(device);
  current = device;
  lost = undefined;
  return device;
}
