/** Sets devices up and destroys them, again and again; prints how many of them the process still holds at the end. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Device, setupDevice, tensor } from "@ddad/tensor";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const devices: WeakRef<Device>[] = [];

/** A function of its own, whose variables are gone at its end. */
async function cycle(k: number): Promise<void> {
  const device = await setupDevice();
  devices.push(new WeakRef(device));
  await tensor([1, 2]).add(k).data();
  device.destroy();
}

for (let k = 0; k < 5; k++) await cycle(k);
for (let k = 0; k < 5; k++) {
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(devices.filter((device) => device.deref()).length);
