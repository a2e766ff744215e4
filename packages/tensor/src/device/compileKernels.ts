/** The kernels of a program that has not run yet, compiled in parallel. */
import type { Dispatch } from "../program/lower.ts";
import { compileAhead } from "./compileAhead.ts";
import type { Device } from "./device.ts";

/** Fewer kernels than this are compiled when they run, where the driver waits for that, and not reported: it is no matter of seconds. */
const fewest = 8;

/** Compiles those that the device has not compiled before, and reports how many are ready to `device.onCompile`. */
export async function compileKernels(device: Device, dispatches: readonly Dispatch[]): Promise<void> {
  const distinct = new Map(dispatches.map((dispatch) => [dispatch.shader.code, dispatch]));
  const news = [...distinct.values()].filter(({ shader }) => !device.pipelines.has(shader));
  if (news.length === 0) return;
  const ready = (done: number): void => {
    if (news.length >= fewest) device.onCompile?.(done, news.length);
  };
  const another = news.length >= fewest ? device.another : undefined;
  let made = 0;
  const compiled = await Promise.all(
    news.map(async ({ shader, label, uniform }) => {
      const pipeline = await device.pipelines.pipeline(shader, label);
      if (!another) ready(++made);
      return { shader, label, uniform, pipeline };
    }),
  );
  if (another) await compileAhead({ gpu: device.gpu, pipelines: device.pipelines, another }, compiled, ready);
}
