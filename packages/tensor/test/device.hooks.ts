/** Root hooks of every file of tests: one device, no error swallowed, no buffer left behind. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Device, setupDevice } from "@ddad/tensor";
import { constant } from "../src/create.ts";

// What a user has tuned changes the last bits of results, and tests must not change what a user has tuned.
process.env["DDAD_TUNING"] = "off";

let device: Device;

/** The device of this test run. */
export const testDevice = (): Device => device;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** The test that runs now; undefined in hooks, whose tensors may live as long as the file's tests. */
let running: string | undefined;
/** Buffers that tests took and have not given back, with the tests' titles. */
const taken = new Map<GPUBuffer, string>();
/** The tests that ran: mocha forgets them, and with them what their file's variables hold. */
const ran = new Set<unknown>();
/** Garbage that may wait: collecting it takes longer than most tests. */
const mostTakenBytes = 2 ** 28;

/** Notes who takes a buffer. Intermediates are shared by all plans and stay. */
function watchBuffers({ buffers, workspace }: Device): void {
  const { acquireExactly, release, discard } = buffers;
  const { reserve } = workspace;
  let intermediate = false;
  buffers.acquireExactly = (size) => {
    const buffer = acquireExactly.call(buffers, size);
    if (running !== undefined && !intermediate) taken.set(buffer, running);
    return buffer;
  };
  buffers.release = (buffer) => {
    taken.delete(buffer);
    release.call(buffers, buffer);
  };
  buffers.discard = (buffer) => {
    taken.delete(buffer);
    discard.call(buffers, buffer);
  };
  workspace.reserve = (sizes) => {
    intermediate = true;
    try {
      return reserve.call(workspace, sizes);
    } finally {
      intermediate = false;
    }
  };
}

/** Releases the buffers of tensors that cannot be reached: before a test counts buffers, because those of others may go at any time. */
export async function releaseGarbage(): Promise<void> {
  collectGarbage();
  // Finalisers run in a task of their own.
  await new Promise((resolve) => setImmediate(resolve));
}

const takenBytes = (): number => [...taken.keys()].reduce((bytes, { size }) => bytes + size, 0);

/** How often to check again: a finished promise chain can keep its last values for a moment, a longer one where processors are busy. */
const attempts = 20;

export const mochaHooks = {
  async beforeAll(): Promise<void> {
    device = await setupDevice();
    // Gradients start from constants that the device keeps.
    for (const value of [0, 1]) constant(value, []);
    watchBuffers(device);
  },
  beforeEach(this: Mocha.Context): void {
    running = this.currentTest?.fullTitle();
    ran.add(this.currentTest?.fn);
  },
  async afterEach(): Promise<void> {
    running = undefined;
    await device.gpu.queue.onSubmittedWorkDone();
    device.throwFailure();
    if (takenBytes() > mostTakenBytes) await releaseGarbage();
  },
  async afterAll(): Promise<void> {
    for (let attempt = 0; taken.size > 0 && attempt < attempts; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 10 * attempt));
      await releaseGarbage();
    }
    const titles = [...new Set(taken.values())];
    const left = taken.size;
    taken.clear();
    ran.clear();
    device.destroy();
    if (left > 0) throw new Error(`${left} buffers are still held after ${titles.join("; ")}.`);
  },
};
