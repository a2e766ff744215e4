/** Sets up a device with the adapter that is named, and prints the adapter, or why there is none. */
import { listAdapters, setupDevice, tensor } from "@ddad/tensor";

const [wanted] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await listAdapters()));
  const adapter = wanted === undefined || wanted === "" ? undefined : (JSON.parse(wanted) as string | number);
  const device = await setupDevice(adapter === undefined ? {} : { adapter });
  console.log(device.name);
  console.log(await tensor([1]).add(1).item());
  device.destroy();
} catch (error) {
  console.log(String(error));
}
process.exit(0);
