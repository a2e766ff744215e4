/**
 * The adapters of Dawn's package for Node. It has no call that lists them, and takes none by number: its flag `adapter` takes the first whose
 * device name contains a text, and what it says where none does is a list of all.
 */
import { InternalError, NoAdapterError } from "../errors.ts";
import type { Candidate } from "./adapter.ts";
import { adapterName } from "./capabilities.ts";
import { equalGpus, showingOnly } from "./equalGpus.ts";

/** No adapter has this name. */
const nobody = "@ddad/tensor lists adapters";

/** Gives an instance of Dawn with more flags, the same one for the same flags. */
type Open = (flags: readonly string[]) => Promise<GPU>;

/** The adapters in the order in which Dawn prefers them. @param pci folder of PCI devices, where it is another than Linux has */
export async function dawnAdapters(open: Open, pci?: string): Promise<Candidate[]> {
  const devices = deviceNames(await answerOf(request(open, nobody)));
  const found: Candidate[] = [];
  for (const [index, device] of devices.entries()) {
    const equal = devices.flatMap((other, k) => (other === device ? [k] : []));
    const first = devices.findIndex((other) => other.includes(device));
    const address = equal.length > 1 ? equalGpus(equal.length, pci)?.[equal.indexOf(index)] : undefined;
    const separate = address !== undefined && (await showsOne(open, address));
    // What is equal has equal names. One that Dawn does not give has only that of its device.
    const example = first === index || equal[0] === first ? await request(open, only(device, devices)) : null;
    found.push({
      name: example ? adapterName(example.info) : device,
      selectable: separate || first === index,
      async request() {
        const adapter = separate
          ? await request(open, device, address)
          : first === index
            ? await request(open, only(device, devices))
            : null;
        if (adapter) return adapter;
        throw unreachable(device, index, first);
      },
    });
  }
  return found;
}

/** The only device needs no name: it comes from the instance of `setupDevice`, and each more prints Dawn's warnings again. */
const only = (device: string, { length }: readonly string[]): string | undefined =>
  length === 1 ? undefined : device;

/** The first adapter whose device name contains `name`, of all or of the one at a PCI address. */
async function request(open: Open, name?: string, address?: string): Promise<GPUAdapter | null> {
  // Dawn ignores flags that it does not know: this one makes an instance for each address.
  const gpu = await open([
    ...(name === undefined ? [] : [`adapter=${name}`]),
    ...(address ? [`pci-address=${address}`] : []),
  ]);
  const ask = () => gpu.requestAdapter({ powerPreference: "high-performance" });
  return address ? showingOnly(address, ask) : ask();
}

/** What Dawn says where no adapter has the name; nothing where there is none at all. */
const answerOf = (request: Promise<unknown>): Promise<string> =>
  request.then(
    () => "",
    (error: Error) => error.message,
  );

/** Whether one GPU can be shown alone: whether there is a layer that does it. */
const showsOne = async (open: Open, address: string): Promise<boolean> =>
  deviceNames(await answerOf(request(open, nobody, address))).length === 1;

const unreachable = (device: string, index: number, first: number): NoAdapterError =>
  new NoAdapterError(
    `setupDevice: Dawn gives the first adapter of a name, so adapter ${index} "${device}" stands behind adapter ${first}. ` +
      "Install Mesa's Vulkan drivers (Linux), whose layer selects among equal GPUs, or expose only one GPU to this process (in a container).",
  );

/** The names in what Dawn says where no adapter has the name asked for. */
export function deviceNames(answer: string): string[] {
  const names = [...answer.matchAll(/^\s*\* backend: '[^']*', name: '(.*)'$/gm)].map(([, name]) => name!);
  if (answer !== "" && names.length === 0) {
    throw new InternalError(`listAdapters: Dawn's list of adapters reads otherwise than expected: ${answer}`);
  }
  return names;
}
