/** The device of a stage. */
import { type Device, setupDevice } from "@ddad/nn";
import { type Progress, progress, type StageOptions } from "./events.ts";

/**
 * The current device, or a new one. While the kernels of a program are compiled that runs for the first time, which takes seconds on
 * slow adapters, the stage tells how many of them are ready.
 */
export async function openDevice(options: StageOptions): Promise<Device> {
  const device = await setupDevice();
  let told: Progress | undefined;
  device.onCompile = (done, total) => {
    told ??= progress(options, "compiling kernels", "kernels");
    told.update(done, total);
    if (done === total) told = undefined;
  };
  return device;
}
