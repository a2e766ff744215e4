/** Root hooks of every test run: one device for the whole process, no error swallowed, no buffer left behind. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Device, setupDevice } from "@ddad/tensor";
import { constant } from "../src/create.ts";

// What a user has tuned changes the last bits of results, and tests must not change what a user has tuned.
process.env["DDAD_TUNING"] = "off";

let device: Device;
let buffersBefore = 0;
/** What the last collection left: while the count equals it, there is no garbage to collect. */
let collected = 0;

/** The device of this test run. */
export const testDevice = (): Device => device;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Buffers held by tensors; intermediates are shared by all plans and stay. */
const heldBuffers = (): number => device.buffers.live - device.workspace.count;

/** Those of tensors that are still reachable. */
async function reachableBuffers(): Promise<number> {
  collectGarbage();
  // Finalisers run in a task of their own.
  await new Promise((resolve) => setImmediate(resolve));
  collected = heldBuffers();
  return collected;
}

/** How often to check again: a finished promise chain can keep its last values for a moment, a longer one where processors are busy. */
const attempts = 20;

export const mochaHooks = {
  async beforeAll(): Promise<void> {
    device = await setupDevice();
    // Gradients start from constants that the device keeps.
    for (const value of [0, 1]) constant(value, []);
  },
  async beforeEach(): Promise<void> {
    // A collection takes longer than most tests.
    buffersBefore = heldBuffers() === collected ? collected : await reachableBuffers();
  },
  async afterEach(this: Mocha.Context): Promise<void> {
    await device.gpu.queue.onSubmittedWorkDone();
    device.throwFailure();
    let left = heldBuffers() - buffersBefore;
    if (left <= 0) return;
    for (let attempt = 0; attempt < attempts; attempt++) {
      left = (await reachableBuffers()) - buffersBefore;
      if (left <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, 10 * attempt));
    }
    throw new Error(`${left} buffers are still held after "${this.currentTest?.title}".`);
  },
  afterAll(): void {
    device.destroy();
  },
};
