/** Loses a device on purpose and prints what happens, a line each. */
import { currentDevice, evaluate, setupDevice, tensor, variable } from "@ddad/tensor";
import { flattenParameters } from "@ddad/tensor/internal";

const say = (error: unknown): void =>
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : error);

const first = await setupDevice();
const old = tensor([3]);
const pending = old.add(4);
flattenParameters([variable(tensor([1])), variable(tensor([2]))]); // on its way when the device goes
first.gpu.destroy();
await first.gpu.lost;
await evaluate(pending).catch(say);
try {
  currentDevice();
} catch (error) {
  say(error);
}
const second = await setupDevice();
say(await tensor([3]).add(4).item());
await evaluate(old.add(1)).catch(say);
// What is on its way when the program itself destroys the device, and what comes after.
const reading = tensor([3]).add(5).data();
second.destroy();
await reading.catch(say);
await evaluate(old).catch(say);
try {
  currentDevice();
} catch (error) {
  say(error);
}
