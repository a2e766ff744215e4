/** Prints when each part of `setupDevice` was done, in milliseconds from the start of this process, as JSON. */
import { performance } from "node:perf_hooks";
import { cpuMs } from "./processorTime.ts";

/** Parts of a start in their order, and what is left of it at the end. */
export interface DeviceStart {
  readonly adapter: string;
  readonly parts: readonly { readonly name: string; readonly ms: number }[];
  readonly firstMs: number;
  readonly cpuMs: number;
}

const parts: { name: string; ms: number }[] = [];
let last = 0;
const mark = (name: string): void => {
  const now = performance.now();
  parts.push({ name, ms: now - last });
  last = now;
};

mark("Node");
const { setupDevice } = await import("@ddad/tensor");
mark("modules of @ddad/tensor");
const { globals } = await import("webgpu");
mark("Dawn's library");
const { GPU, GPUAdapter } = globals as unknown as typeof globalThis;
watch(GPU.prototype, "requestAdapter", "instance", "adapter");
watch(GPUAdapter.prototype, "requestDevice", undefined, "device");
const { name: adapter } = await setupDevice();
mark("rest of setupDevice");
const start: DeviceStart = { adapter, parts, firstMs: performance.now(), cpuMs: cpuMs() };
process.stdout.write(JSON.stringify(start));
process.exit(0);

/** Marks the first call of a method, and when its promise is fulfilled. */
function watch<Name extends string>(
  target: Readonly<Record<Name, (...words: never[]) => Promise<unknown>>>,
  name: Name,
  before: string | undefined,
  after: string,
): void {
  const original = target[name];
  const watched = async function (this: unknown, ...words: never[]): Promise<unknown> {
    if (before !== undefined) mark(before);
    const result = await original.apply(this, words);
    mark(after);
    return result;
  };
  Object.defineProperty(target, name, { value: watched, configurable: true, writable: true });
}
