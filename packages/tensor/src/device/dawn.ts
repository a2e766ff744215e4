/** WebGPU for Node by npm `webgpu` (Dawn). */
import * as dawn from "webgpu";
import { waitPatiently } from "./dawnEvents.ts";

/** Kept reachable: the process crashes when Dawn's instance is collected while its devices live. */
const instances: GPU[] = [];

/** Makes a Dawn instance and defines the WebGPU globals (`GPUBufferUsage` …) where they are missing. */
export async function loadDawn(toggles: readonly string[]): Promise<GPU | undefined> {
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  waitPatiently(dawn.globals as Readonly<Record<string, unknown>>);
  const instance = dawn.create([...toggles]);
  instances.push(instance);
  return instance;
}
