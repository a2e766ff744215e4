/** WebGPU for Node by npm `webgpu` (Dawn), which is loaded at the first request for a device and is optional until then. */
import { NoAdapterError } from "../errors.ts";
import { waitPatiently } from "./dawnEvents.ts";

export { anotherDevice } from "./compileAhead.ts";
export { compileKernels } from "./compileKernels.ts";
export { dawnAdapters } from "./dawnAdapters.ts";

/**
 * By their toggles. One that was made stays: the process crashes when Dawn's instance is collected while its devices live, and each
 * takes megabytes that do not come back.
 */
const instances = new Map<string, GPU>();

/**
 * A Dawn instance.
 *
 * @throws NoAdapterError where the package is missing, or has nothing that loads here
 */
export async function loadDawn(toggles: readonly string[]): Promise<GPU | undefined> {
  const { create } = await loadGlobals();
  const key = toggles.join(" ");
  const known = instances.get(key);
  if (known) return known;
  const instance = create([...toggles]);
  instances.set(key, instance);
  return instance;
}

/** Loads the package and defines the WebGPU globals (`GPUBufferUsage` …) where they are missing. */
export async function loadGlobals(): Promise<typeof import("webgpu")> {
  const dawn = await import("webgpu").catch((error: Error) => {
    throw new NoAdapterError(explain(error), { cause: error });
  });
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  waitPatiently(dawn.globals as Readonly<Record<string, unknown>>);
  return dawn;
}

/** Why Dawn did not load, and what to do. */
function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ERR_MODULE_NOT_FOUND" && message.includes("'webgpu'")) {
    return 'setupDevice: WebGPU in Node comes from the package "webgpu", which is not installed: run "npm install webgpu".';
  }
  const [reason] = message.split("\n");
  return (
    `setupDevice: the package "webgpu" does not load on this system (${process.platform} ${process.arch}: ${reason}), ` +
    "so use Linux with glibc 2.34 or newer (Debian 12, Ubuntu 22.04; not Alpine), macOS 12 or Windows 10 on x64 or arm64, or a browser."
  );
}
