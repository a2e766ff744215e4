/**
 * The adapters of Dawn's package for Node. It has no call that lists them, and takes none by number: its flag `adapter` takes the first whose
 * device name contains a text, and what it says where none does is a list of all.
 */
import { InternalError, NoAdapterError } from "../errors.ts";
import type { Candidate } from "./adapter.ts";
import { adapterName } from "./capabilities.ts";

/** No adapter has this name. */
const nobody = "@ddad/tensor lists adapters";

/** In the order in which Dawn prefers them. @param open gives an instance with flags */
export async function dawnAdapters(open: (flags: readonly string[]) => Promise<GPU>): Promise<Candidate[]> {
  const request = async (name: string): Promise<GPUAdapter | null> =>
    (await open([`adapter=${name}`])).requestAdapter({ powerPreference: "high-performance" });
  const answer = await request(nobody).then(
    () => "", // null: there are none
    (error: Error) => error.message,
  );
  const devices = deviceNames(answer);
  const found: Candidate[] = [];
  for (const [index, device] of devices.entries()) {
    const first = devices.findIndex((other) => other.includes(device));
    const adapter = first === index ? await request(device) : null;
    found.push({
      // Equal devices have equal names; what else is said of one that Dawn does not give is not known.
      selectable: first === index,
      name: adapter ? adapterName(adapter.info) : devices[first] === device ? found[first]!.name : device,
      async request() {
        const own = first === index ? await request(device) : null;
        if (own) return own;
        throw unreachable(device, index, first);
      },
    });
  }
  return found;
}

const unreachable = (device: string, index: number, first: number): NoAdapterError =>
  new NoAdapterError(
    `setupDevice: Dawn gives the first adapter of a name, so adapter ${index} "${device}" stands behind adapter ${first}. ` +
      "Show this process that one alone (in a container), or start it with DRI_PRIME=pci-0000_65_00_0, the PCI address of the one that is " +
      "meant, which puts it first where Mesa's Vulkan layers are installed (Linux).",
  );

/** The names in what Dawn says where no adapter has the name asked for. */
export function deviceNames(answer: string): string[] {
  const names = [...answer.matchAll(/^\s*\* backend: '[^']*', name: '(.*)'$/gm)].map(([, name]) => name!);
  if (answer !== "" && names.length === 0) {
    throw new InternalError(`listAdapters: Dawn's list of adapters reads otherwise than expected: ${answer}`);
  }
  return names;
}
