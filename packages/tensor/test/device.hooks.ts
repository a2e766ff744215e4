/** Root hooks of every test run: one device for the whole process, no error swallowed, no buffer left behind. */
import { type Device, setupDevice } from "@ddad/tensor";

let device: Device;

/** The device of this test run. */
export const testDevice = (): Device => device;

export const mochaHooks = {
  async beforeAll(): Promise<void> {
    device = await setupDevice();
  },
  async afterEach(): Promise<void> {
    await device.gpu.queue.onSubmittedWorkDone();
    device.throwFailure();
  },
  afterAll(): void {
    device.destroy();
  },
};
