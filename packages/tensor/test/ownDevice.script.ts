/** Hands a GPUDevice of its own to the library, shares it, and keeps it; prints a line for each thing that holds. */
import {
  currentDevice,
  deviceDescriptor,
  evaluate,
  memory,
  setupDevice,
  tensor,
  UsageError,
  variable,
} from "@ddad/tensor";
import { create, globals } from "webgpu";

const say = (error: unknown): void =>
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : error);

const gpu = create([]);
Object.assign(globalThis, { gpu }); // the process crashes when it is collected
const request = async (): Promise<GPUAdapter> => (await gpu.requestAdapter())!;

// One with WebGPU's usual limits and no features, and no globals for it.
const own = await (await request()).requestDevice();
const errors: string[] = [];
own.addEventListener("uncapturederror", (event) => {
  event.preventDefault(); // Dawn would print it
  errors.push(event.error.message);
});
await setupDevice({ device: "mine" as unknown as GPUDevice }).catch(say);
const device = await setupDevice({ device: own });
say(
  device.gpu === own && (await setupDevice()) === device && (await setupDevice({ device: own })) === device,
);
say(device.capabilities.f16 || device.capabilities.subgroups || device.capabilities.maxStorageBuffers);
say(device.name);
const x = variable(tensor([1, 2, 3]));
x.assign(x.add(1));
say(String(await x.data()));
say(
  await tensor([...Array(64).keys()], [8, 8])
    .matmul(tensor([...Array(64).keys()], [8, 8]))
    .sum()
    .item(),
);

// The program itself gets its own errors.
const { GPUBufferUsage } = globals as { GPUBufferUsage: typeof globalThis.GPUBufferUsage };
own.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
await own.queue.onSubmittedWorkDone();
say(errors.length);
say(String(await x.data()));

const other = await (await request()).requestDevice();
await setupDevice({ device: other }).catch((error) => say(error instanceof UsageError && error));

const pending = x.add(1);
const home = x.storage.region.buffer;
device.destroy();
try {
  currentDevice();
} catch (error) {
  say(error);
}
await evaluate(pending).catch(say);

// The device lives on, without the library's buffers.
own.pushErrorScope("validation");
const staging = own.createBuffer({ size: 256, usage: GPUBufferUsage.COPY_DST });
const encoder = own.createCommandEncoder();
encoder.copyBufferToBuffer(home, 0, staging, 0, 4);
own.queue.submit([encoder.finish()]);
say((await own.popErrorScope())?.message.includes("destroyed"));
const again = await setupDevice({ device: own });
say(again !== device && memory().buffers === 0);
say(await tensor([20]).add(1).item());
again.destroy();

// What the library would ask for, asked for by the program.
const adapter = await request();
const full = await setupDevice({ device: await adapter.requestDevice(deviceDescriptor(adapter)) });
say(
  full.gpu.limits.maxBufferSize === adapter.limits.maxBufferSize &&
    full.capabilities.f16 === adapter.features.has("shader-f16"),
);
full.gpu.destroy();
for (const one of [own, other]) one.destroy();
await own.lost;
process.exit(0);
